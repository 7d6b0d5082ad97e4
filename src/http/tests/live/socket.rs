//! `GET /live` over WebSocket, with a client of others against a real listener.

use futures_util::SinkExt;
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        handshake::client::Response,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::*;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A box that is served.
struct Served {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<io::Result<()>>,
}

impl Served {
    async fn new(app: App) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, app, async { drop(stopped.await) }));
        Self { address, stop, served }
    }

    async fn connect(&self, query: &str, headers: &[(&str, &str)]) -> Result<(Socket, Response), Error> {
        let mut request = format!("ws://{}/live{query}", self.address).into_client_request()?;
        for (name, value) in headers {
            let name = axum::http::HeaderName::try_from(*name).unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        connect_async(request).await
    }

    /// The status of a refusal.
    async fn refused(&self, headers: &[(&str, &str)]) -> u16 {
        match self.connect("", headers).await {
            Err(Error::Http(answer)) => answer.status().as_u16(),
            other => panic!("not refused: {other:?}"),
        }
    }
}

async fn next(socket: &mut Socket) -> Message {
    tokio::time::timeout(Duration::from_secs(60), socket.next()).await.unwrap().unwrap().unwrap()
}

/// The next message of a type.
async fn next_of(socket: &mut Socket, kind: &str) -> Value {
    loop {
        if let Message::Text(text) = next(socket).await {
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] == kind {
                return message;
            }
        }
    }
}

async fn end(mut socket: Socket) -> Option<CloseFrame> {
    loop {
        match tokio::time::timeout(Duration::from_secs(60), socket.next()).await.unwrap() {
            Some(Ok(Message::Close(frame))) => return frame,
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

#[tokio::test]
async fn the_same_messages_as_text() {
    let it = bench();
    let served = Served::new(it.app.clone()).await;
    publish(&it.app, "old.completed", 1).await;
    let begin = it.app.log.last_seq().unwrap();
    publish(&it.app, "talk.completed", 2).await;
    it.app.live.show(partial(0, 500, 1));
    let key = [("x-api-key", it.viewer.as_str())];
    let (mut socket, _) = served.connect(&format!("?after={begin}"), &key).await.unwrap();
    let first = next_of(&mut socket, "talk.completed").await;
    assert_eq!((&first["seq"], &first["data"]["payload"]["n"]), (&json!(begin + 1), &json!(2)));
    assert_eq!(first["data"]["seq"], begin + 1, "the event as it is in the log");
    let shown = next_of(&mut socket, "caption.partial").await;
    assert_eq!(shown, json!({ "type": "caption.partial", "data": partial(0, 500, 1) }));
    publish(&it.app, "talk.completed", 3).await;
    it.app.live.clear(0);
    assert_eq!(next_of(&mut socket, "talk.completed").await["data"]["payload"]["n"], 3);
    let gone = next_of(&mut socket, "caption.gone").await;
    assert_eq!(gone["data"], json!({ "recording_id": "r", "lane": 0, "start_ms": 500 }));

    // What a client says is not looked at; its pings are answered.
    socket.send(Message::text("hello")).await.unwrap();
    socket.send(Message::Ping("are you there".into())).await.unwrap();
    while next(&mut socket).await != Message::Pong("are you there".into()) {}
    socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })).await.unwrap();
    assert_eq!(end(socket).await.unwrap().code, CloseCode::Normal, "the leave is answered");
    let system = async || it.ask("GET /system", "").await;
    assert_eq!(system().await.status, StatusCode::OK);
}

#[tokio::test]
async fn places_are_free_when_a_client_is_gone_and_long_messages_end_it() {
    let it = bench();
    let served = Served::new(it.app.clone()).await;
    let viewers = async || {
        let url = format!("http://{}/system", served.address);
        let answer = reqwest::Client::new().get(url).header("x-api-key", &it.viewer).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["viewers"].as_u64().unwrap()
    };
    let until = async |count: u64| {
        let wait = async { while viewers().await != count {} };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("the places are counted");
    };
    let key = [("x-api-key", it.viewer.as_str())];
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(served.connect("", &key).await.unwrap().0);
    }
    until(10).await;
    // Without a word, and with too many.
    sockets.truncate(5);
    until(5).await;
    let mut talker = sockets.pop().unwrap();
    talker.send(Message::text("x".repeat(5000))).await.unwrap();
    let last = end(talker).await;
    assert!(last.is_none_or(|it| it.code == CloseCode::Policy));
    until(4).await;
}

#[tokio::test]
async fn all_end_at_once_when_the_box_stops() {
    let it = bench();
    let served = Served::new(it.app.clone()).await;
    let key = [("x-api-key", it.viewer.as_str())];
    let mut sockets = Vec::new();
    for _ in 0..5 {
        let (mut socket, _) = served.connect("", &key).await.unwrap();
        next_of(&mut socket, "state").await;
        sockets.push(socket);
    }
    let url = format!("http://{}/live", served.address);
    let followed = reqwest::Client::new().get(url).header("x-api-key", &it.viewer);
    let followed = followed.header("accept", "text/event-stream").send().await.unwrap();
    served.stop.send(()).unwrap();
    for socket in sockets {
        assert_eq!(end(socket).await.unwrap().code, CloseCode::Away);
    }
    assert!(followed.text().await.unwrap().starts_with("event: state\n"), "ended, not cut");
    served.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn browsers_offer_their_key_as_a_protocol() {
    let it = bench();
    let served = Served::new(it.app.clone()).await;
    let offer = |key: &str| format!("panotti.live, panotti.key.{key}");
    let name = "sec-websocket-protocol";
    let (mut socket, answer) = served.connect("", &[(name, &offer(&it.viewer))]).await.unwrap();
    assert_eq!(answer.headers()[name], "panotti.live");
    assert!(!format!("{answer:?}").contains(&it.viewer), "the key is not sent back");
    next_of(&mut socket, "state").await;
    for (headers, expected) in [
        (&[][..], 401),
        (&[(name, &*offer("wrong"))], 401),
        (&[(name, "panotti.key.")], 401),
        (&[("x-api-key", "wrong"), (name, &*offer(&it.viewer))], 401),
        (&[("authorization", &*format!("Bearer {}", it.operator)), ("sec-websocket-version", "12")], 400),
    ] {
        assert_eq!(served.refused(headers).await, expected, "{headers:?}");
    }
    // For a WebSocket alone: elsewhere a key can be sent as it should.
    let offer = offer(&it.viewer);
    it.send("GET /live", &[(name, &offer)], "").await.problem(401);
    let upgrade = [(name, &*offer), ("upgrade", "websocket")];
    assert_eq!(it.send("GET /live", &upgrade, "").await.status, StatusCode::BAD_REQUEST, "no such offer");
}

#[tokio::test]
async fn other_sites_get_no_socket_of_a_box_without_keys() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::new(app(dir.path(), None, Access::OpenOnLoopback)).await;
    let own = format!("http://{}", served.address);
    for headers in [&[][..], &[("origin", &*own)]] {
        let (mut socket, _) = served.connect("", headers).await.unwrap();
        next_of(&mut socket, "state").await;
    }
    let host = served.address.to_string();
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
        &[("host", "evil.example")],
        &[("host", "evil.example"), ("origin", "http://evil.example")],
        &[("host", &*host), ("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
    ] {
        assert_eq!(served.refused(headers).await, 403, "{headers:?}");
    }
}
