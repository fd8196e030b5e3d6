//! Count, mean and squared deviations of numbers, kept by Welford's method; numbers can be taken back in any order.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type,
};
use datafusion::common::{Result, internal_datafusion_err, internal_err};

use crate::twofold::Twofold;

/// What is known of some numbers. Of DECIMALs, the numbers are those without their scale.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moments {
    pub count: i64,
    pub mean: Twofold,
    /// The sum of squared deviations from the mean. Infinity where it does not fit a DOUBLE, NaN where a number is NaN or
    /// infinite: so it remains until all numbers are taken back, whatever order they come in, and the mean is 0 then.
    pub squares: Twofold,
}

impl Moments {
    pub fn add(&mut self, value: Twofold) {
        self.count += 1;
        // More was taken back than put in: only counted.
        if self.count <= 0 {
            return;
        }
        if !value.high.is_finite() {
            self.out_of_range(f64::NAN);
        }
        if !self.squares.high.is_finite() {
            return;
        }
        let before = value.subtract(self.mean);
        self.mean = self.mean.add(before.divide(self.of_count()));
        let after = value.subtract(self.mean);
        self.squares = self.squares.add(before.multiply(after));
        self.check_range();
    }

    fn check_range(&mut self) {
        if !self.squares.high.is_finite() || !self.mean.high.is_finite() {
            self.out_of_range(f64::INFINITY);
        }
    }

    fn out_of_range(&mut self, squares: f64) {
        (self.mean, self.squares) = (Twofold::default(), Twofold::from(squares));
    }

    pub fn retract(&mut self, value: Twofold) {
        self.count -= 1;
        if self.count <= 0 {
            (self.mean, self.squares) = (Twofold::default(), Twofold::default());
            return;
        }
        if !self.squares.high.is_finite() {
            return;
        }
        let after = value.subtract(self.mean);
        self.mean = self.mean.subtract(after.divide(self.of_count()));
        let before = value.subtract(self.mean);
        self.squares = self.squares.subtract(before.multiply(after));
        if self.squares.high < 0.0 {
            self.squares = Twofold::default();
        }
    }

    pub fn merge(&mut self, other: &Self) {
        if self.count <= 0 || other.count <= 0 {
            let count = self.count + other.count;
            if other.count > 0 {
                *self = *other;
            }
            self.count = count;
            if count <= 0 {
                (self.mean, self.squares) = (Twofold::default(), Twofold::default());
            }
            return;
        }
        let (own, others) = (self.of_count(), other.of_count());
        self.count += other.count;
        let is_known = |m: &Self| m.squares.high.is_finite();
        if !is_known(self) || !is_known(other) {
            // NaN counts for more than Infinity.
            let of = |m: &Self| if is_known(m) { 0.0 } else { m.squares.high };
            self.out_of_range(of(self) + of(other));
            return;
        }
        let total = self.of_count();
        let apart = other.mean.subtract(self.mean);
        self.mean = self.mean.add(apart.multiply(others.divide(total)));
        // In this order no step is larger than the result.
        let between = apart.multiply(own.multiply(others).divide(total));
        let between = between.multiply(apart);
        self.squares = self.squares.add(other.squares).add(between);
        self.check_range();
    }

    fn of_count(&self) -> Twofold {
        Twofold::of_whole(i128::from(self.count))
    }

    /// The variance of a sample or of all; None where there are too few numbers.
    pub fn variance(&self, sample: bool) -> Option<Twofold> {
        let degrees = self.count - i64::from(sample);
        (degrees > 0).then(|| self.squares.divide(Twofold::of_whole(i128::from(degrees))))
    }
}

/// Calls `f` with each number of a column that is not NULL, and its row.
pub(crate) fn each_number(column: &ArrayRef, f: impl FnMut(usize, Twofold)) -> Result<()> {
    fn each<T: ArrowPrimitiveType>(
        column: &ArrayRef,
        of: impl Fn(T::Native) -> Twofold,
        mut f: impl FnMut(usize, Twofold),
    ) -> Result<()> {
        let column: &PrimitiveArray<T> = column.as_primitive_opt().ok_or_else(|| {
            internal_datafusion_err!("{} is no {}", column.data_type(), T::DATA_TYPE)
        })?;
        if column.null_count() == 0 {
            for (row, value) in column.values().iter().enumerate() {
                f(row, of(*value));
            }
        } else {
            for (row, value) in column.iter().enumerate() {
                if let Some(value) = value {
                    f(row, of(value));
                }
            }
        }
        Ok(())
    }
    match column.data_type() {
        DataType::Int8 => each::<Int8Type>(column, |v| f64::from(v).into(), f),
        DataType::Int16 => each::<Int16Type>(column, |v| f64::from(v).into(), f),
        DataType::Int32 => each::<Int32Type>(column, |v| f64::from(v).into(), f),
        DataType::Int64 => each::<Int64Type>(column, |v| Twofold::of_whole(v.into()), f),
        DataType::Float32 => each::<Float32Type>(column, |v| f64::from(v).into(), f),
        DataType::Float64 => each::<Float64Type>(column, Twofold::from, f),
        DataType::Decimal128(..) => each::<Decimal128Type>(column, Twofold::of_whole, f),
        other => internal_err!("VARIANCE or a similar function got {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        for value in values {
            moments.add(Twofold::from(*value));
        }
        moments
    }

    fn variance(moments: &Moments) -> Option<f64> {
        moments.variance(true).map(|v| v.high)
    }

    #[test]
    fn what_is_out_of_range_does_not_depend_on_the_way() {
        let (infinite, nan) = (f64::INFINITY, f64::NAN);
        let cases: [(&[f64], f64); 6] = [
            (&[1e200, 2e200, 3e200, 1.0], infinite),
            (&[1.7e308, -1.7e308, 5.0, -1.7e308], infinite),
            (&[1e308, 1e308, 1e308], 0.0),
            (&[1e200, nan, 3e200, 1.0], nan),
            (&[1.0, 2.0, infinite, 3.0], nan),
            (&[1.0, -infinite], nan),
        ];
        for (values, expected) in cases {
            for at in 0..values.len() {
                let (first, second) = values.split_at(at);
                let mut merged = of(second);
                merged.merge(&of(first));
                let found = variance(&merged).unwrap_or_default();
                assert!(
                    found == expected || found.is_nan() && expected.is_nan(),
                    "{values:?} at {at}: {found}"
                );
            }
            let mut moments = of(values);
            let values = values.iter().map(|v| Twofold::from(*v));
            values.for_each(|value| moments.retract(value));
            assert_eq!(moments, Moments::default());
        }
    }

    #[test]
    fn of_large_numbers_close_together() {
        assert_eq!(variance(&of(&[1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0])), Some(1.0));
        assert_eq!(variance(&of(&[5.0])), None);
        assert_eq!(of(&[5.0]).variance(false).map(|v| v.high), Some(0.0));
        assert_eq!(variance(&of(&[])), None);
    }

    /// Whatever order numbers come in, in however many parts, and whatever else came and went: the same result.
    #[test]
    fn does_not_depend_on_the_way() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let count = random.usize(1..60);
            let scale = 10_f64.powi(random.i32(-3..9));
            let mut values: Vec<f64> = (0..count)
                .map(|_| 1e6 + scale * (random.f64() - 0.5))
                .collect();
            let expected = variance(&of(&values));
            random.shuffle(&mut values);
            assert_eq!(variance(&of(&values)), expected, "in another order");

            let (first, second) = values.split_at(random.usize(0..=count));
            let mut merged = of(second);
            merged.merge(&of(first));
            assert_eq!(variance(&merged), expected, "merged");

            let mut extra: Vec<f64> = (0..random.usize(1..20))
                .map(|_| 1e3 * random.f64())
                .collect();
            let mut all = [extra.as_slice(), values.as_slice()].concat();
            random.shuffle(&mut all);
            let mut moments = of(&all);
            random.shuffle(&mut extra);
            for value in &extra {
                moments.retract(Twofold::from(*value));
            }
            assert_eq!(moments.count, count as i64);
            let close = match (variance(&moments), expected) {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * b + 1e-15,
                (a, b) => a == b,
            };
            assert!(close, "{:?} {expected:?}", variance(&moments));
            for value in &values {
                moments.retract(Twofold::from(*value));
            }
            assert_eq!(moments, Moments::default());
        }
    }
}
