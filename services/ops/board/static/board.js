// What pages do beyond links and forms: tokens, themes, refusals, and parts that follow a run.
"use strict";
{
  const root = document.documentElement;
  const said = document.getElementById("said");

  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;

  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    document.dispatchEvent(new Event("theme"));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("theme")));

  // Whoever is signed in by a cookie shows with each request that it comes from our own page.
  const token = document.querySelector("meta[name=csrf-token]");
  document.body.addEventListener("htmx:configRequest", (event) => {
    if (token) event.detail.headers["X-CSRF-Token"] = token.content;
  });

  // What was refused is said until the next request is answered.
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) said.replaceChildren();
  });
  document.body.addEventListener("htmx:sendError", () => {
    const note = document.createElement("div");
    note.className = "notice bad";
    note.textContent = "The platform is away: nothing answers. What was asked for goes on when it is back.";
    said.replaceChildren(note);
  });

  // A part with data-follows is told when something happens in its run, at most every so often; the log gets the lines.
  const TOLD = ["opened", "part", "dead_letter", "closed", "ended"];
  const TELL_EVERY_MS = 400;

  const written = (line) => {
    const item = document.createElement("li");
    item.className = line.level;
    for (const [tag, text] of [["time", line.at.slice(11, 19)], ["code", line.stage ?? "run"], ["span", line.message]]) {
      item.appendChild(document.createElement(tag)).textContent = text;
    }
    return item;
  };

  const follow = (part) => {
    let due = null;
    const source = new EventSource(part.dataset.follows);
    const log = document.querySelector("[data-log]");
    const tell = () => {
      due = null;
      htmx.trigger(part, "told");
    };
    for (const name of TOLD) {
      source.addEventListener(name, (event) => {
        if (log) {
          const is_at_end = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
          log.append(written(JSON.parse(event.data)));
          if (is_at_end) log.scrollTop = log.scrollHeight;
        }
        due ??= setTimeout(tell, TELL_EVERY_MS);
        if (name === "ended") source.close();
      });
    }
    addEventListener("pagehide", () => source.close());
  };
  document.querySelectorAll("[data-follows]").forEach(follow);
}
