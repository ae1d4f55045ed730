"""FastAPI, storing a row per request if DATABASE is set: uvicorn with_fastapi:app --workers 2."""

import os
from datetime import UTC, datetime

from fastapi import FastAPI, UploadFile
from network import classify
from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = FastAPI()


class Base(DeclarativeBase):
    pass


class Prediction(Base):
    __tablename__ = "predictions"

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    file_name: Mapped[str]
    digit: Mapped[int]
    confidence: Mapped[float]


DATABASE = os.environ.get("DATABASE", "")
engine = create_engine(f"sqlite:///{DATABASE}", connect_args={"timeout": 30}) if DATABASE else None
if engine is not None:

    @event.listens_for(engine, "connect")
    def write_ahead(connection, _record):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    Base.metadata.create_all(engine)


@app.post("/predict")
def predict(file: UploadFile) -> dict[str, float]:
    answer = classify(file.file.read())
    if engine is not None:
        with Session(engine) as session:
            row = Prediction(created_at=datetime.now(UTC), file_name=file.filename or "", **answer)
            session.add(row)
            session.commit()
    return answer
