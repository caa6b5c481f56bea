"""What becomes of requests that come faster than they are answered."""

import asyncio

import httpx
from fastapi import Depends, FastAPI

from shared.admission import Admission
from shared.problems import PROBLEM_TYPE, install_problem_handlers


async def test_requests_beyond_those_that_may_wait_are_sent_away_and_the_others_answered_in_turn() -> None:
    app, go_on, begun = FastAPI(), asyncio.Event(), list[int]()
    install_problem_handlers(app)
    admission = Admission(at_once=1, waiting=2)

    @app.get("/{number}", dependencies=[Depends(admission, scope="function")])
    async def answer(number: int) -> int:
        begun.append(number)
        await go_on.wait()
        return number

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        asked = [asyncio.create_task(client.get(f"/{number}")) for number in range(4)]
        (sent_away,), _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        refused = await sent_away
        assert (refused.status_code, refused.headers["content-type"]) == (503, PROBLEM_TYPE)
        assert int(refused.headers["Retry-After"]) > 0
        assert begun == [0]

        go_on.set()
        answers = await asyncio.gather(*asked)
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 503]
        assert begun == [0, 1, 2]
        assert (await client.get("/9")).json() == 9
