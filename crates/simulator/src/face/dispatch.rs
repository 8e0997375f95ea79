//! From a request to an answer: recognise it, look at its signature, let faults have their way, ask the service, and say
//! no in the service's own shape (spec 0).

use std::{borrow::Cow, sync::atomic::Ordering, time::Duration};

use http::request::Parts;
use serde_json::Value;
use tokio::time::Instant;
use wire::{
    error::ServiceError,
    json::Version,
    query::Params,
    server::{self, Call, Protocol},
    sigv4::{self, Refusal},
    xml::Writer,
};

use super::{
    Shared, access,
    access::Signatures,
    autoscaling, cbor, ec2, ecs, eventbridge,
    http::Reply,
    inflate,
    json::Json,
    lock, monitoring,
    scope::{Scope, View},
    sns, sqs, ssm, wall_now,
};
use crate::{faults::Fate, queue::uuid, world::PlaceId};

/// An id for the next request.
pub(super) fn request_id(shared: &Shared) -> String {
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    uuid(0x7265_7175, number)
}

/// Answers a request of an AWS API.
pub(super) async fn answer(shared: &Shared, head: &Parts, body: &[u8], request_id: &str) -> Reply {
    let reply = answer_in_json(shared, head, body, request_id).await;
    if cbor_call(head).is_none() {
        return reply;
    }
    match serde_json::from_slice::<Value>(&reply.body) {
        Ok(value) => Reply {
            body: cbor::write(&value, monitoring::form::is_time),
            content_type: "application/cbor",
            smithy: true,
            ..reply
        },
        // A fault's page is what it is in every protocol.
        Err(_) => reply,
    }
}

/// What a request in smithy-rpc-v2-cbor asks for, where it is answered: CloudWatch. It is answered as if it were JSON.
fn cbor_call(head: &Parts) -> Option<Call<'_>> {
    let protocol = head.headers.get("smithy-protocol")?.to_str().ok()?;
    let path = head.uri.path().strip_prefix("/service/GraniteServiceVersion20100801/operation/")?;
    let signed = sigv4::Authorization::of(&head.headers);
    protocol.starts_with("rpc-v2").then(|| Call {
        protocol: Protocol::Json(Version::V1_0),
        service: "monitoring",
        operation: path.to_owned(),
        region: signed.as_ref().map(|signed| signed.region),
        access_key: signed.as_ref().map(|signed| signed.access_key),
        params: Params::default(),
    })
}

/// A body as JSON: unpacked, and translated where it is CBOR.
fn plain<'a>(head: &Parts, body: &'a [u8]) -> Result<Cow<'a, [u8]>, ServiceError> {
    let unreadable = |what: &str| ServiceError::new("SerializationException", what);
    let packed = head.headers.get(http::header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    let unpacked: Cow<'a, [u8]> = match packed {
        true => Cow::Owned(inflate::gunzip(body).ok_or_else(|| unreadable("the body is no gzip"))?),
        false => Cow::Borrowed(body),
    };
    if cbor_call(head).is_none() || unpacked.is_empty() {
        return Ok(unpacked);
    }
    let value = cbor::read(&unpacked).ok_or_else(|| unreadable("the body is no CBOR"))?;
    Ok(Cow::Owned(value.to_string().into_bytes()))
}

async fn answer_in_json(shared: &Shared, head: &Parts, body: &[u8], request_id: &str) -> Reply {
    let query = head.uri.query().unwrap_or_default();
    let recognised = match cbor_call(head) {
        Some(call) => Ok(call),
        None => server::recognise(head.method.as_str(), head.uri.path(), query, &head.headers, body),
    };
    let call = match recognised {
        Ok(call) => call,
        Err(error) => {
            let error = ServiceError::new("UnknownOperationException", error.to_string());
            return refuse(&error, Protocol::Json(Version::V1_1), "", request_id);
        }
    };
    let no = |error: ServiceError| refuse(&error, call.protocol, call.service, request_id);
    if let Err(refusal) = authenticate(shared, head, body) {
        return no(unauthenticated(&refusal));
    }
    let scope = scope(shared, head, &call);
    let (fate, view) = {
        let mut running = shared.running();
        let place = scope.place.unwrap_or(PlaceId(u32::MAX));
        let fate = running.simulation.call(place, &format!("{}:{}", call.service, call.operation));
        (fate, View { staleness_ms: running.simulation.staleness() })
    };
    match fate {
        Fate::Answered | Fate::HangAfterEffect => {}
        Fate::Throttled => return no(ServiceError::new("ThrottlingException", "Rate exceeded")),
        Fate::ServerError => return no(ServiceError::new("ServerException", "Service Unavailable. Please try again.")),
        Fate::Html => {
            let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
            return Reply::new(502, "text/html", page);
        }
        Fate::Hang => std::future::pending().await,
        Fate::Denied(action) => {
            let who = format!("arn:{}:iam::{}:user/muster", scope.partition, scope.account());
            let what = format!(
                "User: {who} is not authorized to perform: {action} because no identity-based policy allows it"
            );
            return no(ServiceError::new("AccessDeniedException", what));
        }
        Fate::Expired => return no(unauthenticated(&Refusal::Expired)),
    }
    let result = match plain(head, body) {
        Ok(body) => serve(shared, &scope, &view, &call, &body, request_id).await,
        Err(error) => Err(error),
    };
    if fate == Fate::HangAfterEffect {
        std::future::pending::<()>().await;
    }
    match result {
        Ok(body) => Reply::new(200, content_type(call.protocol), body),
        Err(error) => no(error),
    }
}

fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Json(version) => version.content_type(),
        Protocol::Query | Protocol::Ec2Query => "text/xml;charset=UTF-8",
    }
}

fn authenticate(shared: &Shared, head: &Parts, body: &[u8]) -> Result<(), Refusal> {
    match shared.options.signatures {
        Signatures::Off => Ok(()),
        Signatures::Present => {
            let header = head.headers.get(http::header::AUTHORIZATION).ok_or(Refusal::Missing)?;
            match header.to_str().ok().and_then(sigv4::Authorization::parse) {
                Some(_) => Ok(()),
                None => Err(Refusal::Incomplete {
                    what: "Authorization is not of the form AWS4-HMAC-SHA256 …".to_owned(),
                }),
            }
        }
        Signatures::Checked => {
            let request = sigv4::Signed {
                method: head.method.as_str(),
                path: head.uri.path(),
                query: head.uri.query().unwrap_or_default(),
                headers: &head.headers,
                body,
            };
            let access = lock(&shared.access);
            sigv4::verify(&request, wall_now().timestamp(), |key| access.key(key)).map(|_| ())
        }
    }
}

fn unauthenticated(refusal: &Refusal) -> ServiceError {
    let code = match refusal {
        Refusal::Missing => "MissingAuthenticationTokenException",
        Refusal::Incomplete { .. } => "IncompleteSignatureException",
        Refusal::UnknownKey | Refusal::WrongToken => "UnrecognizedClientException",
        Refusal::Expired => "ExpiredTokenException",
        Refusal::Skewed { .. } | Refusal::Mismatch => "InvalidSignatureException",
    };
    ServiceError::new(code, refusal.to_string())
}

fn scope(shared: &Shared, head: &Parts, call: &Call<'_>) -> Scope {
    let running = shared.running();
    let world = &running.simulation.world;
    let first = world.places.first();
    let key = call.access_key.unwrap_or_default();
    let known = lock(&shared.access).account(key).map(str::to_owned);
    let account = known
        .or_else(|| (key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit())).then(|| key.to_owned()))
        .or_else(|| first.map(|place| place.account.clone()))
        .unwrap_or_else(|| "210987654321".to_owned());
    let region = call.region.or(first.map(|place| place.region.as_str())).unwrap_or("eu-central-1").to_owned();
    let place = world.find_place(&account, &region);
    let partition = place.and_then(|place| world.place(place)).or(first);
    let partition = partition.map_or_else(|| "aws".to_owned(), |place| place.partition.clone());
    let host = head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let host = host.map_or_else(|| shared.address.to_string(), str::to_owned);
    Scope { region: (account, region), place, partition, host, wall: wall_now() }
}

async fn serve(
    shared: &Shared,
    scope: &Scope,
    view: &View,
    call: &Call<'_>,
    body: &[u8],
    request_id: &str,
) -> Result<Vec<u8>, ServiceError> {
    match call.protocol {
        Protocol::Ec2Query => {
            let mut running = shared.running();
            ec2::answer(&mut running.simulation.world, scope, &call.operation, &call.params, request_id)
        }
        Protocol::Query => query(shared, scope, call, request_id),
        Protocol::Json(_) => {
            let request: Value = match body {
                b"" => Value::Object(serde_json::Map::new()),
                body => serde_json::from_slice(body)
                    .map_err(|error| ServiceError::new("SerializationException", format!("not JSON: {error}")))?,
            };
            json(shared, scope, view, call, &request).await
        }
    }
}

async fn json(
    shared: &Shared,
    scope: &Scope,
    view: &View,
    call: &Call<'_>,
    request: &Value,
) -> Result<Vec<u8>, ServiceError> {
    let operation = call.operation.as_str();
    if call.service == "sqs" && operation == "ReceiveMessage" {
        return receive(shared, scope, request).await;
    }
    // Describing a hundred hosts takes a quarter of a megabyte; asking for it at once saves copying it.
    let mut out = Json::with_capacity(if operation == "DescribeContainerInstances" { 320 * 1024 } else { 1024 });
    match call.service {
        "ecs" => {
            let mut running = shared.running();
            ecs::answer(&mut running.simulation.world, scope, view, operation, request, &mut out)?;
        }
        "ssm" => {
            let mut running = shared.running();
            ssm::answer(&mut running.simulation, scope, operation, request, &mut out)?;
        }
        "monitoring" => return Ok(watched(shared, scope, operation, request)?.to_string().into_bytes()),
        "sqs" => {
            sqs::answer(&mut lock(&shared.messaging), scope, operation, request, &mut out)?;
            shared.arrived.notify_waiters();
        }
        "events" => {
            eventbridge::answer(&mut lock(&shared.messaging), scope, operation, request, &mut out)?;
            shared.arrived.notify_waiters();
        }
        other => return Err(no_service(other, operation)),
    }
    Ok(out.finish())
}

/// An answer of CloudWatch. What an alarm that was set by hand has to do is done at once.
fn watched(shared: &Shared, scope: &Scope, operation: &str, request: &Value) -> Result<Value, ServiceError> {
    let now = shared.running().simulation.now();
    let (value, due) = monitoring::answer(&mut lock(&shared.monitoring), scope, now, operation, request)?;
    shared.act_on(due);
    Ok(value)
}

/// ReceiveMessage, which may wait.
async fn receive(shared: &Shared, scope: &Scope, request: &Value) -> Result<Vec<u8>, ServiceError> {
    let wait = sqs::wait_secs(&mut lock(&shared.messaging), scope, request)?;
    let until = Instant::now() + Duration::from_secs(u64::from(wait));
    loop {
        let arrived = shared.arrived.notified();
        tokio::pin!(arrived);
        // Listening begins before looking: what arrives in between is not missed.
        arrived.as_mut().enable();
        let mut out = Json::default();
        let now = Scope { wall: wall_now(), ..scope.clone() };
        let Some(next) = sqs::receive(&mut lock(&shared.messaging), &now, request, &mut out)? else {
            return Ok(out.finish());
        };
        if Instant::now() >= until {
            return Ok(b"{}".to_vec());
        }
        let shown = next.map_or(until, |at| Instant::now() + Duration::from_millis(at.since(now.wall).max(1) as u64));
        tokio::select! {
            () = arrived => {}
            () = tokio::time::sleep_until(until.min(shown)) => {}
        }
    }
}

fn query(shared: &Shared, scope: &Scope, call: &Call<'_>, request_id: &str) -> Result<Vec<u8>, ServiceError> {
    let operation = call.operation.as_str();
    let mut writer = Writer::new();
    let mut result = Ok(());
    writer.root(&format!("{operation}Response"), namespace(call.service), |w| {
        w.element(&format!("{operation}Result"), |w| {
            let params = &call.params;
            result = match call.service {
                "autoscaling" => {
                    autoscaling::answer(&mut shared.running().simulation.world, scope, operation, params, w)
                }
                "monitoring" => watched(shared, scope, operation, &monitoring::form::read(params))
                    .map(|value| monitoring::form::write(&value, w)),
                "sns" => sns::answer(&mut lock(&shared.messaging), scope, operation, params, w),
                "sts" => {
                    let running = shared.running();
                    let world = &running.simulation.world;
                    lock(&shared.access).answer(world, scope, call.access_key, operation, params, w)
                }
                other => Err(no_service(other, operation)),
            };
        });
        w.element("ResponseMetadata", |w| w.text("RequestId", request_id));
    });
    if call.service == "sns" {
        shared.arrived.notify_waiters();
    }
    result.map(|()| writer.finish().into_bytes())
}

fn namespace(service: &str) -> &'static str {
    match service {
        "sns" => sns::NAMESPACE,
        "monitoring" => monitoring::NAMESPACE,
        "sts" => access::NAMESPACE,
        _ => autoscaling::NAMESPACE,
    }
}

fn no_service(service: &str, operation: &str) -> ServiceError {
    let what = format!(
        "The simulator does not answer {service}:{operation}. It answers parts of ecs, ec2, autoscaling, monitoring, \
         ssm, sts, sqs (awsJson), sns and events."
    );
    ServiceError::new("UnknownOperationException", what)
}

/// CloudWatch's codes in the Query protocol differ from the names that its newer protocols have.
fn monitoring_code(code: &str) -> &str {
    match code {
        "InvalidParameterValueException" => "InvalidParameterValue",
        "InvalidParameterCombinationException" => "InvalidParameterCombination",
        "MissingRequiredParameterException" => "MissingParameter",
        "InvalidFormatFault" => "InvalidFormat",
        other => other,
    }
}

/// An error in the shape of its protocol. Names differ between the protocols for what is the same everywhere.
fn refuse(error: &ServiceError, protocol: Protocol, service: &str, request_id: &str) -> Reply {
    let code = match (protocol, error.code.as_str()) {
        (Protocol::Json(_), code) => code,
        (_, "UnknownOperationException") => "InvalidAction",
        (Protocol::Ec2Query, "ThrottlingException") => "RequestLimitExceeded",
        (Protocol::Query, "ThrottlingException") => "Throttling",
        (Protocol::Ec2Query, "AccessDeniedException") => "UnauthorizedOperation",
        (Protocol::Query, "AccessDeniedException") => "AccessDenied",
        (Protocol::Ec2Query, "ExpiredTokenException") => "RequestExpired",
        (Protocol::Query, "ExpiredTokenException") => "ExpiredToken",
        (Protocol::Ec2Query, "UnrecognizedClientException" | "InvalidSignatureException") => "AuthFailure",
        (Protocol::Query, "UnrecognizedClientException") => "InvalidClientTokenId",
        (Protocol::Query, "InvalidSignatureException") => "SignatureDoesNotMatch",
        (_, "MissingAuthenticationTokenException") => "MissingAuthenticationToken",
        (_, "IncompleteSignatureException") => "IncompleteSignature",
        (Protocol::Ec2Query, "ServerException") => "InternalError",
        (Protocol::Query, "ServerException") => "InternalFailure",
        (_, code) if service == "monitoring" => monitoring_code(code),
        (_, code) => code,
    };
    let error = ServiceError { code: code.to_owned(), request_id: Some(request_id.to_owned()), ..error.clone() };
    let status = match code {
        "ServerException" | "InternalError" | "InternalFailure" => 500,
        "RequestLimitExceeded" => 503,
        "AuthFailure" => 401,
        "NotFound" | "ResourceNotFound" => 404,
        "UnauthorizedOperation"
        | "AccessDenied"
        | "ExpiredToken"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken" => 403,
        _ => 400,
    };
    match protocol {
        Protocol::Json(version) => {
            let mut reply = Reply::new(status, version.content_type(), error.to_json());
            if service == "sqs" {
                let fault = if status < 500 { "Sender" } else { "Receiver" };
                reply.query_error = Some(format!("{};{fault}", sqs::query_code(code)));
            }
            if service == "monitoring" {
                reply.query_error = Some(format!("{};Sender", monitoring_code(code)));
            }
            reply
        }
        Protocol::Query => {
            let body = error.to_query_xml(namespace(service), status < 500);
            Reply::new(status, content_type(protocol), body)
        }
        Protocol::Ec2Query => Reply::new(status, content_type(protocol), error.to_ec2_xml()),
    }
}
