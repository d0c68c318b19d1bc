//! Compares two pieces of code within one run: both are timed in turn, in many short rounds, and
//! the ratio is the median of the rounds' ratios, so that a machine whose speed drifts does not
//! matter.

use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 201;

/// Prints the times of `floor` and `subject` in nanoseconds, and `subject`'s ratio and heap
/// allocations a call.
///
/// `calls` is how often each is called in a round.
pub fn compare<A, B>(
    name: &str,
    target: &str,
    calls: u32,
    mut floor: impl FnMut() -> A,
    mut subject: impl FnMut() -> B,
) {
    let mut rounds: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|_| {
            (
                nanoseconds(calls, &mut floor),
                nanoseconds(calls, &mut subject),
            )
        })
        .collect();
    let allocations = allocation_counter::measure(|| drop(black_box(subject()))).count_total;
    let middle = ROUNDS / 2;
    rounds.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
    let ratio = rounds[middle].1 / rounds[middle].0;
    rounds.sort_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
    let difference = rounds[middle].1 - rounds[middle].0;
    rounds.sort_by(|a, b| a.1.total_cmp(&b.1));
    let median = rounds[middle].1;
    println!(
        "{name}: {median:.0} ns, {ratio:.2} x the floor ({difference:+.0} ns), \
         {allocations} allocations (target: {target})"
    );
}

fn nanoseconds<T>(calls: u32, call: &mut impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        drop(black_box(call()));
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}
