//! The wire face, spoken to in plain HTTP: shapes of answers and errors, signatures, faults, connections.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use simulator::{
    face::{Credential, FaceOptions, Serving, Signatures, serve},
    scenario::Scenario,
};

const ECS: &str = "AmazonEC2ContainerServiceV20141113";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const PRESENT: &str =
    "AWS4-HMAC-SHA256 Credential=muster/20261002/eu-central-1/ecs/aws4_request, SignedHeaders=host, Signature=00";

async fn start(faults: &str, options: FaceOptions) -> Serving {
    let text = format!("# Twelve hosts.\n[faults.api]\n{faults}\n[[cluster]]\nname = \"prod-a\"\nhosts = 12\n");
    let scenario = Scenario::parse("test", &text).unwrap();
    let options = FaceOptions { speed: 0.0, ..options };
    serve(scenario.begin(Some(1)), Some(scenario), options).await.unwrap()
}

/// An answer: status, headers in lower case, body.
struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn code(&self) -> String {
        wire::error::ServiceError::parse(None, &self.body).unwrap_or_else(|| panic!("{}", self.text())).code
    }
}

/// A connection that stays open.
struct Client(BufReader<TcpStream>);

impl Client {
    fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat()).unwrap();
    }

    fn receive(&mut self) -> std::io::Result<Answer> {
        let (mut headers, mut line) = (String::new(), String::new());
        self.0.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        loop {
            line.clear();
            if self.0.read_line(&mut line)? <= 2 {
                break;
            }
            headers.push_str(&line.to_lowercase());
        }
        let length = headers.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
        self.0.read_exact(&mut body)?;
        Ok(Answer { status, headers, body })
    }

    fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.send(path, headers, body);
        self.receive().unwrap()
    }

    fn ecs(&mut self, operation: &str, request: &Value) -> Answer {
        let target = format!("{ECS}.{operation}");
        let headers =
            [("x-amz-target", &*target), ("content-type", "application/x-amz-json-1.1"), ("authorization", PRESENT)];
        self.post("/", &headers, request.to_string().as_bytes())
    }

    fn form(&mut self, body: &str) -> Answer {
        self.post(
            "/",
            &[("content-type", FORM), ("authorization", &PRESENT.replace("/ecs/", "/none/"))],
            body.as_bytes(),
        )
    }

    fn service_form(&mut self, service: &str, body: &str) -> Answer {
        let authorization = PRESENT.replace("/ecs/", &format!("/{service}/"));
        self.post("/", &[("content-type", FORM), ("authorization", &authorization)], body.as_bytes())
    }
}

/// Runs blocking steps beside the server.
async fn blocking<T: Send + 'static>(steps: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(steps).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_go_over_one_connection() {
    let serving = start("", FaceOptions::default()).await;
    let address = serving.address();
    blocking(move || {
        let mut client = Client::to(address);
        let first = client.ecs("ListClusters", &json!({}));
        assert_eq!(first.status, 200);
        assert!(first.headers.contains("content-type: application/x-amz-json-1.1"), "{}", first.headers);
        assert!(first.headers.contains("x-amzn-requestid: "), "{}", first.headers);
        let listed = client.ecs("ListContainerInstances", &json!({"cluster": "prod-a", "maxResults": 5})).json();
        assert_eq!(listed["containerInstanceArns"].as_array().map(Vec::len), Some(5));
        let next = json!({"cluster": "prod-a", "maxResults": 100, "nextToken": listed["nextToken"]});
        let rest = client.ecs("ListContainerInstances", &next).json();
        assert_eq!(rest["containerInstanceArns"].as_array().map(Vec::len), Some(7));
        assert!(rest.get("nextToken").is_none());
        let names = json!({"cluster": "prod-a", "containerInstances": rest["containerInstanceArns"]});
        let described = client.ecs("DescribeContainerInstances", &names).json();
        let hosts = described["containerInstances"].as_array().unwrap();
        assert_eq!((hosts.len(), hosts[0]["agentConnected"].as_bool().is_some()), (7, true));
        assert!(hosts[0]["registeredAt"].is_f64());
    })
    .await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_answered_is_named_in_the_shape_of_its_protocol() {
    let serving = start("", FaceOptions::default()).await;
    let address = serving.address();
    blocking(move || {
        let mut client = Client::to(address);
        let answer = client.ecs("ExecuteCommand", &json!({}));
        assert_eq!((answer.status, answer.code().as_str()), (400, "UnknownOperationException"));
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("ecs:ExecuteCommand") && message.contains("DescribeTasks"), "{message}");
        let answer = client.service_form("ec2", "Action=RunInstances&Version=2016-11-15");
        assert_eq!((answer.status, answer.code().as_str()), (400, "InvalidAction"));
        assert!(
            answer.text().starts_with("<?xml") && answer.text().contains("<Response><Errors>"),
            "{}",
            answer.text()
        );
        let answer = client.service_form("autoscaling", "Action=DetachInstances&Version=2011-01-01");
        assert!(answer.text().contains("<ErrorResponse") && answer.text().contains("autoscaling:DetachInstances"));
        let answer = client.form("Action=Nothing&Version=1");
        assert_eq!(answer.code(), "InvalidAction");
        let path = "/service/SomeOtherServiceVersion20260101/operation/PutMetricData";
        let cbor = [("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor")];
        let answer = client.post(path, &cbor, b"");
        assert!(answer.status == 400 && answer.text().contains("smithy-rpc-v2-cbor"), "{}", answer.text());
        let path = "/service/GraniteServiceVersion20100801/operation/PutDashboard";
        let monitoring = PRESENT.replace("/ecs/", "/monitoring/");
        let answer = client.post(path, &[&cbor[..], &[("authorization", &*monitoring)]].concat(), b"\xa0");
        assert!(
            answer.status == 400 && answer.headers.contains("content-type: application/cbor"),
            "{}",
            answer.headers
        );
        assert!(answer.text().contains("monitoring:PutDashboard"), "{}", answer.text());
        let headers = [("x-amz-target", "AmazonEC2ContainerServiceV20141113.ListClusters"), ("authorization", PRESENT)];
        assert_eq!(client.post("/", &headers, b"{\"a\":").code(), "SerializationException");
        assert_eq!(client.post("/_muster/nothing", &[], b"").status, 404);
        let headers = [("x-amz-target", "AmazonSQS.GetQueueUrl"), ("authorization", PRESENT)];
        let answer = client.post("/", &headers, br#"{"QueueName":"no"}"#);
        assert!(
            answer.headers.contains("x-amzn-query-error: aws.simplequeueservice.nonexistentqueue;sender"),
            "{}",
            answer.headers
        );
    })
    .await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_without_end_is_refused() {
    let serving = start("", FaceOptions::default()).await;
    let address = serving.address();
    let status = blocking(move || {
        let mut client = Client::to(address);
        let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n";
        client.0.get_mut().write_all(head.as_bytes()).unwrap();
        // The server may hang up before it has seen everything; that is the point.
        let _ = client.0.get_mut().write_all(&vec![b'x'; 9 * 1024 * 1024]);
        client.receive().map(|answer| answer.status).unwrap_or(413)
    })
    .await;
    assert_eq!(status, 413);
    serving.stop().await;
}

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Signs `GetCallerIdentity` as a client would.
fn signed(key: &str, secret: &str, body: &str) -> (String, String) {
    let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &date[..8];
    let hash = hex::encode(Sha256::digest(body));
    let canonical = format!("POST\n/\n\nhost:localhost\nx-amz-date:{date}\n\nhost;x-amz-date\n{hash}");
    let scope = format!("{day}/eu-central-1/sts/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let mut signing = hmac(format!("AWS4{secret}").as_bytes(), day);
    for part in ["eu-central-1", "sts", "aws4_request"] {
        signing = hmac(&signing, part);
    }
    let signature = hex::encode(hmac(&signing, &to_sign));
    let header =
        format!("AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}");
    (header, date)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signatures_are_checked_where_asked() {
    let credential = Credential {
        access_key: "AKIDEXAMPLE".to_owned(),
        secret_key: "secret".to_owned(),
        account: "210987654321".to_owned(),
    };
    let options =
        FaceOptions { signatures: Signatures::Checked, credentials: vec![credential], ..FaceOptions::default() };
    let serving = start("", options).await;
    let address = serving.address();
    blocking(move || {
        let body = "Action=GetCallerIdentity&Version=2011-06-15";
        let mut client = Client::to(address);
        let mut ask = |key: &str, secret: &str, body: &str, sent: &str| {
            let (authorization, date) = signed(key, secret, body);
            let headers = [("content-type", FORM), ("authorization", &*authorization), ("x-amz-date", &*date)];
            client.post("/", &headers, sent.as_bytes())
        };
        let believed = ask("AKIDEXAMPLE", "secret", body, body);
        assert!(believed.status == 200 && believed.text().contains("<Account>210987654321</Account>"));
        assert_eq!(ask("AKIDEXAMPLE", "guess", body, body).code(), "SignatureDoesNotMatch");
        assert_eq!(ask("AKIDOTHER", "secret", body, body).code(), "InvalidClientTokenId");
        let changed = format!("{body}&More=1");
        assert_eq!(ask("AKIDEXAMPLE", "secret", body, &changed).code(), "SignatureDoesNotMatch");
        let unsigned = client.post("/", &[("content-type", FORM)], body.as_bytes());
        assert_eq!((unsigned.status, unsigned.code().as_str()), (403, "MissingAuthenticationToken"));
        let json = client.post("/", &[("x-amz-target", "AmazonSSM.SendCommand")], b"{}");
        assert_eq!((json.status, json.code().as_str()), (400, "MissingAuthenticationTokenException"));
    })
    .await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_may_take_effect_and_never_answer() {
    let serving = start("timeout-after-effect = 1.0", FaceOptions::default()).await;
    let address = serving.address();
    blocking(move || {
        let mut client = Client::to(address);
        client.0.get_mut().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let target = format!("{ECS}.CreateCluster");
        client.send("/", &[("x-amz-target", &target), ("authorization", PRESENT)], br#"{"clusterName":"made"}"#);
        let error = client.receive().err().unwrap();
        assert!(matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{error}");
        let mut other = Client::to(address);
        let calm = other.post("/_muster/do", &[], b"do = \"faults\"\nfaults = {}\n");
        assert_eq!(calm.status, 200, "{}", calm.text());
        let answer = other.ecs("ListClusters", &json!({}));
        assert!(answer.text().contains("cluster/made"), "{}", answer.text());
    })
    .await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_have_the_words_of_each_protocol() {
    let serving =
        start("denied = ['ec2:DescribeInstances', 'autoscaling:DescribeAutoScalingGroups']", FaceOptions::default())
            .await;
    let address = serving.address();
    blocking(move || {
        let mut client = Client::to(address);
        let answer = client.service_form("ec2", "Action=DescribeInstances&Version=2016-11-15");
        assert_eq!((answer.status, answer.code().as_str()), (403, "UnauthorizedOperation"));
        let answer = client.service_form("autoscaling", "Action=DescribeAutoScalingGroups&Version=2011-01-01");
        assert_eq!((answer.status, answer.code().as_str()), (403, "AccessDenied"));
        assert!(answer.text().contains("autoscaling:DescribeAutoScalingGroups"), "{}", answer.text());
    })
    .await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_poll_ends_when_a_message_comes() {
    let serving = start("", FaceOptions::default()).await;
    let address = serving.address();
    blocking(move || {
        let url = format!("http://{address}/210987654321/muster-events");
        let sqs = |operation: &str| format!("AmazonSQS.{operation}");
        let mut poll = Client::to(address);
        let request = json!({"QueueUrl": url, "WaitTimeSeconds": 20});
        poll.send(
            "/",
            &[("x-amz-target", &sqs("ReceiveMessage")), ("authorization", PRESENT)],
            request.to_string().as_bytes(),
        );
        let mut other = Client::to(address);
        let act = other.post("/_muster/do", &[], b"do = \"agent-stop\"\nhost = \"prod-a/1\"\n");
        assert_eq!(act.status, 200, "{}", act.text());
        other.post("/_muster/advance?secs=600", &[], b"");
        let answer = poll.receive().unwrap().json();
        let body = answer["Messages"][0]["Body"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(body).unwrap()["account"], "210987654321");
    })
    .await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_does_not_wait_for_those_who_wait() {
    let serving = start("hang = 1.0", FaceOptions::default()).await;
    let address = serving.address();
    let mut client = blocking(move || {
        let mut client = Client::to(address);
        client.send("/", &[("x-amz-target", &format!("{ECS}.ListClusters")), ("authorization", PRESENT)], b"{}");
        client
    })
    .await;
    tokio::time::timeout(Duration::from_secs(20), serving.stop()).await.unwrap();
    let answer = blocking(move || client.receive()).await;
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 0));
}
