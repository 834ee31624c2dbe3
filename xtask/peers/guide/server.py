"""A group chat with python-socketio on FastAPI and SQLAlchemy: a session of the database for each message, which has
ended before anything is sent to the room.

It speaks the part of Sealroom's protocol that the load generator needs. Each message has its number in its group, so
that order can be checked."""

import os
from contextlib import asynccontextmanager
from datetime import datetime, timezone

import jwt
import socketio
import uvicorn
from fastapi import FastAPI, Header, HTTPException
from sqlalchemy import BigInteger, DateTime, Integer, String, UniqueConstraint, event, select, update
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SECRET = os.environ["PEER_SECRET"]
DATABASE = os.environ["PEER_DATABASE"]
ID = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    pass


class Group(Base):
    __tablename__ = "groups"
    id: Mapped[int] = mapped_column(ID, primary_key=True)
    head: Mapped[int] = mapped_column(ID, default=0)


class Member(Base):
    __tablename__ = "members"
    group_id: Mapped[int] = mapped_column(ID, primary_key=True)
    user_id: Mapped[int] = mapped_column(ID, primary_key=True)


class Message(Base):
    __tablename__ = "messages"
    __table_args__ = (UniqueConstraint("group_id", "seq"),)
    id: Mapped[int] = mapped_column(ID, primary_key=True, autoincrement=True)
    group_id: Mapped[int] = mapped_column(ID)
    seq: Mapped[int] = mapped_column(ID)
    sender_id: Mapped[int] = mapped_column(ID)
    encrypted_content: Mapped[str] = mapped_column(String)
    timestamp: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def open_database():
    if not DATABASE.startswith("sqlite:"):
        return create_async_engine(DATABASE.replace("postgres://", "postgresql+asyncpg://", 1))
    path, _, query = DATABASE.removeprefix("sqlite:").partition("?")
    # SQLite has one writer: several connections would only tell each other that they are busy.
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", pool_size=1, max_overflow=0)
    synchronous = "NORMAL" if query.endswith("NORMAL") else "FULL"

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection, _record):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")

    return engine


engine = open_database()
SessionLocal = async_sessionmaker(bind=engine, expire_on_commit=False)


def verify(token):
    return jwt.decode(token, SECRET, algorithms=["HS256"])


@asynccontextmanager
async def lifespan(_app):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield


app = FastAPI(lifespan=lifespan)


def administer(authorization):
    try:
        claims = verify(authorization.removeprefix("Bearer "))
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error
    if claims.get("scope") != "admin":
        raise HTTPException(403)


@app.put("/api/v1/groups/{group_id}")
async def put_group(group_id: int, authorization: str = Header()):
    administer(authorization)
    async with SessionLocal.begin() as session:
        await session.merge(Group(id=group_id))


@app.put("/api/v1/groups/{group_id}/members/{user_id}")
async def put_member(group_id: int, user_id: int, authorization: str = Header()):
    administer(authorization)
    async with SessionLocal.begin() as session:
        await session.merge(Member(group_id=group_id, user_id=user_id))


sio = socketio.AsyncServer(async_mode="asgi")
connected_users = {}


@sio.event
async def connect(sid, _environ, auth):
    try:
        claims = verify(auth["token"])
    except (jwt.InvalidTokenError, KeyError, TypeError) as error:
        raise socketio.exceptions.ConnectionRefusedError("token_invalid") from error
    connected_users[sid] = (claims["user_id"], claims.get("name", "Unknown"))


@sio.event
async def disconnect(sid):
    connected_users.pop(sid, None)


NOT_A_MEMBER = {"success": False, "error": "Not a member of this group", "code": "not_a_member", "retryable": False}


async def is_member(session, group_id, user_id):
    return await session.get(Member, (group_id, user_id)) is not None


@sio.event
async def join_group(sid, data):
    group_id = data["group_id"]
    user_id, _ = connected_users[sid]
    async with SessionLocal() as session:
        if not await is_member(session, group_id, user_id):
            return NOT_A_MEMBER
        head = await session.scalar(select(Group.head).where(Group.id == group_id))
    await sio.enter_room(sid, f"group_{group_id}")
    return {"success": True, "group_id": group_id, "head_seq": head}


@sio.event
async def send_message(sid, data):
    group_id, content = data["group_id"], data["encrypted_content"]
    user_id, name = connected_users[sid]
    async with SessionLocal() as session:
        if not await is_member(session, group_id, user_id):
            return NOT_A_MEMBER
        advance = update(Group).where(Group.id == group_id).values(head=Group.head + 1).returning(Group.head)
        message = Message(
            group_id=group_id,
            seq=await session.scalar(advance),
            sender_id=user_id,
            encrypted_content=content,
            timestamp=datetime.now(timezone.utc),
        )
        session.add(message)
        await session.commit()
    answer = {
        "id": message.id,
        "group_id": message.group_id,
        "sender_id": message.sender_id,
        "sender_name": name,
        "encrypted_content": message.encrypted_content,
        "timestamp": message.timestamp.isoformat(),
        "seq": message.seq,
        "client_message_id": None,
        "key_epoch": None,
    }
    await sio.emit("new_message", answer, room=f"group_{group_id}")
    return {"success": True, "message": answer, "duplicate": False}


class Server(uvicorn.Server):
    """Tells its port, which the system chose."""

    async def startup(self, sockets=None):
        await super().startup(sockets=sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        print(f"listening on http://127.0.0.1:{port}", flush=True)


asgi = socketio.ASGIApp(sio, app)
Server(uvicorn.Config(asgi, host="127.0.0.1", port=0, log_level="warning", backlog=4096)).run()
