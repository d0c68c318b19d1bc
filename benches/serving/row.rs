//! A row of the table: two things measured in turn, their ratio, and the goal for it.

use std::cell::RefCell;
use std::process::Command;

/// The rounds in which a pair is measured.
const ROUNDS: usize = 5;

/// The rows that have been measured.
pub(crate) struct Table {
    /// The rows to measure are those whose name contains it.
    filter: Option<String>,
    verdicts: RefCell<Vec<(String, bool)>>,
}

impl Table {
    /// As in `cargo bench --bench serving -- "GET 1k"`.
    pub(crate) fn of_arguments() -> Self {
        let filter = std::env::args().skip(1).find(|text| !text.starts_with('-'));
        Self {
            filter,
            verdicts: RefCell::default(),
        }
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| name.contains(filter))
    }

    /// `round` measures ours and theirs; the ratio is to be `goal` at least.
    pub(crate) fn ratio(
        &self,
        name: &str,
        goal: Option<f64>,
        unit: &str,
        mut round: impl FnMut() -> (f64, f64),
    ) {
        if !self.wants(name) {
            return;
        }
        // Writes before this row should not be what it waits for.
        let synced = Command::new("sync").status();
        assert!(synced.is_ok_and(|status| status.success()), "sync runs");
        round();
        let mut rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| round()).collect();
        rounds.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
        let ratio = |(ours, theirs): (f64, f64)| ours / theirs;
        let median = rounds[ROUNDS / 2];
        let (lowest, highest) = (ratio(rounds[0]), ratio(rounds[ROUNDS - 1]));
        let found = format!(
            "{:.2} x ({lowest:.2} to {highest:.2}; {:.0} to {:.0} {unit})",
            ratio(median),
            median.0,
            median.1
        );
        let verdict = goal.map(|goal| (ratio(median) >= goal, format!(">= {goal:.2} x")));
        self.print(name, &found, verdict);
    }

    /// A figure that is to be `goal` at most.
    pub(crate) fn at_most(&self, name: &str, goal: f64, unit: &str, measure: impl FnOnce() -> f64) {
        if !self.wants(name) {
            return;
        }
        let figure = measure();
        let verdict = Some((figure <= goal, format!("<= {goal:.2} {unit}")));
        self.print(name, &format!("{figure:.2} {unit}"), verdict);
    }

    fn print(&self, name: &str, found: &str, verdict: Option<(bool, String)>) {
        let Some((is_reached, goal)) = verdict else {
            println!("{name:58} {found}");
            return;
        };
        let word = if is_reached { "reached" } else { "MISSED" };
        println!("{name:58} {found}, goal {goal}: {word}");
        let mut verdicts = self.verdicts.borrow_mut();
        verdicts.push((name.to_owned(), is_reached));
    }

    pub(crate) fn summarise(&self) {
        let verdicts = self.verdicts.borrow();
        let reached = verdicts.iter().filter(|(_, is_reached)| *is_reached);
        println!("\n{} of {} goals reached", reached.count(), verdicts.len());
        for (name, _) in verdicts.iter().filter(|(_, is_reached)| !is_reached) {
            println!("missed: {name}");
        }
    }
}
