//! Criterion measures a piece of code in comparison with another: both are timed in turn within
//! one sample, so that a machine whose speed drifts does not matter.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{Criterion, Throughput};

/// The number of turns that each of the two has in a sample.
const TURNS: u64 = 10;

/// The two times of a call, as a benchmark's result has them.
#[allow(dead_code, reason = "most files of benchmarks have one kind")]
#[derive(Clone, Copy)]
pub enum Comparison {
    /// The subject's time over the floor's.
    Ratio,
    /// The nanoseconds that the subject takes beyond the floor.
    Difference,
}

/// Benchmarks of one kind.
pub struct Benches {
    criterion: Criterion<Comparison>,
    comparison: Comparison,
}

impl Benches {
    /// Those that the arguments of `cargo bench` want.
    pub fn of(comparison: Comparison) -> Self {
        let criterion = Criterion::default()
            .with_measurement(comparison)
            .warm_up_time(Duration::from_secs(1))
            .configure_from_args();
        Self {
            criterion,
            comparison,
        }
    }

    /// Compares a call of `subject` with one of `floor`, and prints the heap allocations of the
    /// former.
    pub fn compare<A, B>(
        &mut self,
        name: &str,
        mut floor: impl FnMut() -> A,
        mut subject: impl FnMut() -> B,
    ) {
        let comparison = self.comparison;
        let mut allocations = None;
        self.criterion.bench_function(name, |bencher| {
            allocations.get_or_insert_with(|| {
                subject();
                allocation_counter::measure(|| drop(black_box(subject()))).count_total
            });
            bencher.iter_custom(|calls| {
                let (mut floor_time, mut subject_time) = (Duration::ZERO, Duration::ZERO);
                let mut left = calls;
                while left > 0 {
                    let turn = left.min(calls.div_ceil(TURNS));
                    floor_time += time(turn, &mut floor);
                    subject_time += time(turn, &mut subject);
                    left -= turn;
                }
                let (floor, subject) = (floor_time.as_secs_f64(), subject_time.as_secs_f64());
                match comparison {
                    // Criterion divides by the number of calls.
                    #[expect(clippy::cast_precision_loss, reason = "some millions")]
                    Comparison::Ratio => subject / floor * calls as f64,
                    Comparison::Difference => (subject - floor) * 1e9,
                }
            });
        });
        if let Some(allocations) = allocations {
            println!("{name:23} allocations: {allocations}\n");
        }
    }
}

fn time<T>(calls: u64, call: &mut impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..calls {
        drop(black_box(call()));
    }
    start.elapsed()
}

impl Measurement for Comparison {
    type Intermediate = ();
    type Value = f64;

    fn start(&self) {}

    fn end(&self, (): ()) -> f64 {
        unreachable!("only `iter_custom` is used")
    }

    fn add(&self, one: &f64, other: &f64) -> f64 {
        one + other
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, value: &f64) -> f64 {
        *value
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for Comparison {
    fn scale_values(&self, _: f64, _: &mut [f64]) -> &'static str {
        match self {
            Self::Ratio => "x",
            Self::Difference => "ns more",
        }
    }

    fn scale_throughputs(&self, typical: f64, _: &Throughput, values: &mut [f64]) -> &'static str {
        self.scale_values(typical, values)
    }

    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        self.scale_values(0.0, values)
    }
}
