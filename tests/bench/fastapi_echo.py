"""FastAPI's echo, the same for all who serve it."""

from typing import Any

from fastapi import Body, FastAPI

app = FastAPI()


@app.post("/")
async def echo(value: Any = Body()):
    """Answer the JSON that came."""
    return value
