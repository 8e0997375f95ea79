//! Prints the ledger of calls of a day on a cluster of 300 hosts, muster's beside those of the seed that asks at each event;
//! one JSON object a line. Ends with 1 where muster makes more than a third of the seed's calls on a calm day.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::process::ExitCode;

use peers::ledger::{Day, HOSTS, live};

/// The seed makes so many times as many calls, or the bar is missed.
const BAR: f64 = 3.0;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut met = true;
    for day in [Day::Calm, Day::Ordinary] {
        let ledger = live(day)?;
        met &= day != Day::Calm || ledger.ratio() >= BAR;
        println!(
            "{{\"part\":\"a day, {day:?}\",\"hosts\":{HOSTS},\"events\":{},\"ecs_calls\":{},\"other_calls\":{},\"puts\":{},\
             \"calls\":{},\"refused\":{},\"seed_first_page\":{},\"seed_paged\":{},\"seed_refused\":{},\
             \"ratio\":{:.1},\"asking_ratio\":{:.1},\"first_page_ratio\":{:.1}}}",
            ledger.events,
            ledger.ecs,
            ledger.others,
            ledger.puts,
            ledger.all(),
            ledger.refused,
            ledger.seed,
            ledger.seed_paged,
            ledger.seed_refused,
            ledger.ratio(),
            ledger.asking_ratio(),
            ledger.first_page_ratio(),
        );
    }
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
