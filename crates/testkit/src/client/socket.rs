//! The WebSocket under the clients.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{ClientRequestBuilder, Error, http::Uri, protocol::WebSocketConfig},
};

use super::error::ConnectError;

pub(super) type Socket = WebSocketStream<TcpStream>;

/// How long a handshake may take.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(15);

/// Where the server listens for WebSockets of Engine.IO 4.
pub(super) const PATH: &str = "/socket.io/?EIO=4&transport=websocket";

/// Small enough for thousands of sockets in one process, large enough for a burst.
const READ_BUFFER: usize = 16 * 1024;

/// Opens a WebSocket.
pub(super) async fn open(
    server: SocketAddr,
    path: &str,
    headers: &[(String, String)],
    receive_buffer: Option<u32>,
) -> Result<Socket, ConnectError> {
    let uri: Uri = format!("ws://{server}{path}")
        .parse()
        .map_err(ConnectError::other)?;
    let mut request = ClientRequestBuilder::new(uri);
    for (name, value) in headers {
        request = request.with_header(name, value);
    }
    let opening = async {
        let tcp = tcp(server, receive_buffer).await.map_err(ConnectError::other)?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        match client_async_with_config(request, tcp, Some(config)).await {
            Ok((socket, _response)) => Ok(socket),
            Err(Error::Http(response)) => Err(ConnectError::status(response.status().as_u16())),
            Err(error) => Err(ConnectError::other(error)),
        }
    };
    match timeout(HANDSHAKE, opening).await {
        Ok(opened) => opened,
        Err(elapsed) => Err(ConnectError::other(elapsed)),
    }
}

async fn tcp(server: SocketAddr, receive_buffer: Option<u32>) -> io::Result<TcpStream> {
    let socket = if server.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    let tcp = socket.connect(server).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// Makes the drop of the socket a TCP reset, whatever is still to be written.
pub(super) fn reset(socket: &Socket) {
    // Where the connection is gone already there is nothing to reset.
    let _ = socket.get_ref().set_zero_linger();
}
