import io

from kubesonar.apps.collector.frames import FrameKind, frame, frames


def test_frames_are_read_as_they_were_written_and_one_that_is_cut_off_ends_them() -> None:
    written = frame(FrameKind.REPORT, 0, b"abc") + frame(FrameKind.ANSWER, 7, b"")
    taken: list[tuple[FrameKind, int, bytes]] = []
    frames(io.BytesIO(written + b"x").read, lambda kind, number, body: taken.append((kind, number, body)))
    assert taken == [(FrameKind.REPORT, 0, b"abc"), (FrameKind.ANSWER, 7, b"")]
