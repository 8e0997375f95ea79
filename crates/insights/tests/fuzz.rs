//! Queries drawn at random, a few thousand of them; `cargo run -p insights --example fuzz` draws for as long as one likes.

mod drawn;

#[test]
fn drawn_texts_are_read_or_refused_and_nothing_else() {
    let corpus = drawn::corpus();
    let mut rng = fastrand::Rng::with_seed(20);
    let (mut read, mut compiled, mut patterns) = (0, 0, 0);
    for _ in 0..4_000 {
        let text = drawn::text(&mut rng, &corpus);
        let found = drawn::holds(&text);
        read += u32::from(found.read);
        compiled += u32::from(found.compiled);
        patterns += u32::from(found.pattern);
    }
    // A generator of which nothing can be read would prove little.
    assert!(read > 1_000 && compiled > 100 && patterns > 10, "{read} read, {compiled} compiled, {patterns} patterns");
}

#[test]
fn every_query_of_the_grammar_is_read() {
    let mut rng = fastrand::Rng::with_seed(21);
    for _ in 0..1_000 {
        let text = drawn::query(&mut rng, true);
        if let Err(error) = insights::parse(&text) {
            assert_eq!(error.kind, insights::error::ErrorKind::Limit, "{text}\n{error}");
        }
    }
}
