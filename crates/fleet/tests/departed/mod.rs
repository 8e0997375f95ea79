//! Hosts that have left, and events about them that come late.

use super::Story;

/// An agent that registers anew gets another ARN.
#[test]
fn no_late_event_brings_a_host_back_that_was_deregistered() {
    let mut story = Story::new();
    story.play("12:00:00 sweep web-1 connected v1; web-2 connected v1");
    story.play("12:05:00 event web-2 inactive v3");
    assert!(story.play("12:05:01 event web-2 disconnected v4").contains("dropped: stale"));
    let roll = story.play("12:05:02 roll");
    assert!(roll.contains("web-1 is") && !roll.contains("web-2"), "{roll}");
}

/// More hosts leave at once than are remembered.
#[test]
fn an_old_event_about_a_host_that_may_have_left_is_looked_up_before_it_is_believed() {
    let crowded = || {
        let mut story = Story::new();
        story.play("12:00:00 sweep web-1 connected v1");
        for number in 0..300 {
            story.play(&format!("12:02:00 event old-{number} inactive v5"));
        }
        for event in ["old-0 disconnected v4", "old-0 disconnected v4", "new connected v1"] {
            story.play(&format!("12:02:00 event {event}"));
        }
        let roll = story.play("12:02:01 roll");
        assert!(!roll.contains("old-0") && !roll.contains("new"), "{roll}");
        story
    };
    let mut story = crowded();
    let asked = story.play("12:07:00 tick");
    assert!(asked.contains("old-0") && asked.contains("new"), "{asked}");
    story.play("12:07:01 look old-0 inactive v5; new connected v1");
    let roll = story.play("12:07:02 roll");
    assert!(!roll.contains("old-0") && roll.contains("new is present"), "{roll}");
    // A list of the whole cluster tells as much.
    let mut story = crowded();
    story.play("12:03:00 sweep web-1 connected v1; new connected v1");
    let roll = story.play("12:03:01 roll");
    assert!(roll.contains("new is present"), "{roll}");
    let asked = story.play("12:07:00 tick");
    assert!(!asked.contains("old-0"), "{asked}");
}
