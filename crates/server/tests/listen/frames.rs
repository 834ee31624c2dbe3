//! Frames that are written to a WebSocket beside whoever has its stream.

use futures_util::future::join;
use sealroom_realtime::FrameWriter;

use super::*;

/// Frames of each writer; of all sizes, and together far more than the kernel takes at once.
const FRAMES: usize = 400;

/// The frame of that number: who wrote it, the number, and a filling that depends on it.
fn frame(writer: &str, number: usize) -> Vec<u8> {
    let filling = [0, 100, 200, 3_000, 70_000][number % 5];
    let payload = format!("42[\"{writer}\",{number},\"{}\"]", "x".repeat(filling));
    let mut frame = vec![0x81];
    match payload.len() {
        short @ 0..126 => frame.push(u8::try_from(short).unwrap()),
        medium @ 126..65_536 => {
            frame.push(126);
            frame.extend_from_slice(&u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            frame.push(127);
            frame.extend_from_slice(&u64::try_from(long).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(payload.as_bytes());
    frame
}

/// Switches to a stream of frames, which a task writes that the loop knows nothing of.
pub(super) async fn upgrade_to_frames(mut request: Request) -> Response {
    let connection = request.extensions().get::<ConnectionRef>().unwrap().clone();
    connection.0.frames().unwrap().begin();
    let upgrade = hyper::upgrade::on(&mut request);
    TaskTracker::new().spawn(async move {
        let mut upgraded = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
        for number in 0..FRAMES {
            if upgraded.write_all(&frame("stream", number)).await.is_err() {
                return;
            }
        }
        // Closed when the client says that it has all.
        let _ = upgraded.read(&mut [0; 1]).await;
        let _ = upgraded.write_all(b"\x88\x02\x03\xe8").await;
        let _ = upgraded.read(&mut [0; 1]).await;
    });
    let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, "frames")];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Writes them all, several at a time.
async fn write_beside(frames: &dyn FrameWriter) {
    let (mut next, mut is_cut) = (0, false);
    while next < FRAMES || is_cut {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for number in next..FRAMES.min(next + 7) {
            bytes.extend_from_slice(&frame("beside", number));
            ends.push(bytes.len());
        }
        let written = frames.write(&bytes, &ends).unwrap();
        next += written.frames;
        is_cut = written.is_cut;
        if is_cut || written.frames < ends.len() {
            timeout(PATIENCE, frames.writable()).await.expect("no room");
        }
    }
}

/// Reads slowly, in pieces of any size, until as many frames came; gives their numbers by writer.
async fn read_frames(stream: &mut TcpStream) -> [Vec<usize>; 2] {
    let (mut seen, mut buffer, mut reads) = ([Vec::new(), Vec::new()], Vec::new(), 0);
    let mut piece = vec![0; 90_000];
    let mut head = true;
    while seen.iter().map(Vec::len).sum::<usize>() < 2 * FRAMES {
        reads += 1;
        if reads % 16 == 0 {
            sleep(Duration::from_millis(2)).await;
        }
        let size = 1 + reads * 7_919 % piece.len();
        let read = timeout(PATIENCE, stream.read(&mut piece[..size])).await.unwrap();
        let read = read.unwrap();
        assert_ne!(read, 0, "it ended early");
        buffer.extend_from_slice(&piece[..read]);
        if head {
            let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            buffer.drain(..end + 4);
            head = false;
        }
        while let Some((payload, rest)) = first_frame(&buffer) {
            let text = std::str::from_utf8(&buffer[payload]).unwrap();
            let (writer, number) = text.strip_prefix("42[\"").unwrap().split_once("\",").unwrap();
            let number: usize = number.split(',').next().unwrap().parse().unwrap();
            assert!(buffer.starts_with(&frame(writer, number)), "it was changed");
            seen[usize::from(writer == "beside")].push(number);
            buffer.drain(..rest);
        }
    }
    assert!(buffer.is_empty());
    seen
}

/// The place of the first frame's payload, and where the next one begins.
fn first_frame(bytes: &[u8]) -> Option<(std::ops::Range<usize>, usize)> {
    assert!(bytes.is_empty() || bytes[0] == 0x81, "no frame begins here");
    let (header, length) = match *bytes.get(1)? {
        126 => (
            4,
            usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap())),
        ),
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap());
            (10, usize::try_from(length).unwrap())
        }
        short => (2, usize::from(short)),
    };
    (bytes.len() >= header + length).then_some((header..header + length, header + length))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_two_writers_stay_whole_and_in_order() {
    let options = ListenOptions {
        // So that each of them often finds no room.
        send_buffer_bytes: 16 * 1024,
        ..ListenOptions::default()
    };
    let mut server = Loop::start(options).await;
    let (mut stream, handle) = server.ask("/frames").await;
    let frames = handle.0.frames().unwrap();
    // What the stream's owner writes begins with the head.
    eventually(|| frames.written_by_library() > 0).await;
    let before = handle.0.bytes_written();
    let ((), seen) = join(write_beside(frames), read_frames(&mut stream)).await;
    let expected: Vec<_> = (0..FRAMES).collect();
    assert_eq!(seen, [expected.clone(), expected]);
    eventually(|| frames.written_by_library() == u64::try_from(FRAMES).unwrap()).await;
    assert!(handle.0.bytes_written() > before);
    assert_eq!(handle.0.stalled_for(), None);

    // Nothing follows the frame that ends the stream.
    stream.write_all(b"x").await.unwrap();
    eventually(|| frames.write(b"\x81\x00", &[2]).is_err()).await;
    drop(stream);
    eventually(|| !handle.0.is_open()).await;
    assert!(frames.write(b"\x81\x00", &[2]).is_err());
    server.serves().await;
}

/// Nothing but the writer itself writes the last part of what was cut.
#[tokio::test]
async fn the_rest_of_a_frame_is_written_by_who_wrote_its_begin() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let (mut stream, handle) = server.ask("/frames").await;
    let frames = handle.0.frames().unwrap();
    eventually(|| {
        frames.written_by_library() == u64::try_from(FRAMES).unwrap() || handle.0.stalled_for().is_some()
    })
    .await;
    let large = {
        let mut frame = vec![0x81, 127];
        frame.extend_from_slice(&(8_u64 << 20).to_be_bytes());
        frame.resize(10 + (8 << 20), b'y');
        frame
    };
    let reading = async {
        let (mut buffer, mut left) = (vec![0; 1 << 20], 8 << 20);
        while left > 0 {
            let read = timeout(PATIENCE, stream.read(&mut buffer)).await;
            let read = read.expect("the rest never came").unwrap();
            assert_ne!(read, 0);
            left -= String::from_utf8_lossy(&buffer[..read]).matches('y').count();
        }
    };
    let writing = async {
        let (mut is_taken, mut is_cut) = (false, false);
        while !is_taken || is_cut {
            let (bytes, ends) = if is_taken {
                (&[][..], &[][..])
            } else {
                (&large[..], &[large.len()][..])
            };
            let written = frames.write(bytes, ends).unwrap();
            is_taken |= written.frames == 1;
            is_cut = written.is_cut;
            if !is_taken || is_cut {
                frames.writable().await;
            }
        }
    };
    join(writing, reading).await;
    server.serves().await;
}

#[tokio::test]
async fn before_the_stream_begins_nothing_is_written_beside_it() {
    let mut server = Loop::start(ListenOptions::default()).await;
    let (mut stream, handle) = server.ask("/slow").await;
    assert!(handle.0.frames().unwrap().write(b"\x81\x00", &[2]).is_err());
    assert!(read_response(&mut stream).await.ends_with("late"));
    server.serves().await;
}
