// What a number was made from opens beside it, once it is there.
"use strict";
{
  const why = document.getElementById("why");
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "explanation" && !why.open) why.showModal();
  });
  // A click beside it closes it, as its button and the key do.
  why.addEventListener("click", (event) => {
    if (event.target === why) why.close();
  });
}
