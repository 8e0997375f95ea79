//! How long it takes to read and check a query of ten commands. The bar for reading and planning together is 1 ms.
//!
//! `cargo run --release -p insights --example parse_speed`
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::{hint::black_box, time::Instant};

use insights::{FilterPattern, check, compile, lexer::tokens, parse, rules::Rules};

const QUERY: &str = r#"fields @timestamp, @message, strlen(@message) as size
| filter @message like /(?i)(error|timeout|refused)/ and code >= 400 and svc in ["cart", "pay", "ship"]
| parse @message "user=*, method:*, took := *" as user, method, took
| parse @message /request (?<id>[0-9a-f]{8}-[0-9a-f-]+) of (?<tenant>\w+)/
| filter ispresent(user) and not (method = "GET" or took < 5) and tenant != "probe"
| fields took / 1000 as secs, concat(tenant, "/", user) as who, if(code >= 500, "server", "client") as side
| stats count(*) as n, avg(secs) as mean, pct(took, 99) as p99, max(size) as largest by side, who, bin(5m) as at
| stats sum(n) as total, max(p99) as worst, max(mean) as slowest by side, at
| sort worst desc, total
| limit 100"#;

/// The time of one run in microseconds: the middle and the worst but one in a hundred.
fn measured(name: &str, mut run: impl FnMut()) {
    let mut times: Vec<f64> = (0..2_000)
        .map(|_| {
            let began = Instant::now();
            run();
            began.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{name:32} middle {:8.1} µs   99 of 100 below {:8.1} µs",
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    );
}

fn main() {
    let rules = Rules::default();
    measured("words", || drop(black_box(tokens(black_box(QUERY)))));
    measured("read, regular expressions too", || drop(black_box(parse(black_box(QUERY)))));
    measured("read and checked", || drop(black_box(compile(black_box(QUERY), &rules))));
    if let Ok(query) = parse(QUERY) {
        measured("checked only", || drop(black_box(check(QUERY, black_box(query.clone()), &rules))));
        measured("printed", || drop(black_box(query.to_string())));
    }
    let pattern = r#"{ ($.user.id = 1 || $.users[*].email = "a*") && $.code >= 400 && $.msg = %time.?out% }"#;
    measured("filter pattern read", || drop(black_box(FilterPattern::parse(black_box(pattern)))));
}
