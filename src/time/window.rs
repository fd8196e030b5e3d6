//! Which windows a time falls into: Flink's TUMBLE, HOP and CUMULATE (SESSION windows depend on the rows).

use super::Millis;

/// The windows of one windowing table function. All lengths are in milliseconds and positive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowSpec {
    /// The kind and its lengths.
    pub kind: WindowKind,
    /// By how much windows are shifted from the epoch.
    pub offset: Millis,
}

/// The kinds of windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowKind {
    /// Back to back windows of `size`.
    Tumble {
        /// Length of a window.
        size: Millis,
    },
    /// Windows of `size`, one beginning every `slide`.
    Hop {
        /// Distance between the beginnings.
        slide: Millis,
        /// Length of a window.
        size: Millis,
    },
    /// Windows that share a beginning and grow by `step` up to `size`.
    Cumulate {
        /// By how much they grow.
        step: Millis,
        /// Length of the longest.
        size: Millis,
    },
    /// Windows that end `gap` after the last row of their key.
    Session {
        /// Quiet time that ends a session.
        gap: Millis,
    },
}

/// A window: from its start up to, not including, its end.
pub type Windows = (Millis, Millis);

impl WindowSpec {
    /// Calls `each` with (start, end) of every window that `time` falls into, ends ascending. A session's own window is
    /// (time, time + gap). Windows that would leave the range of 64-bit milliseconds are left out.
    pub fn windows_of(&self, time: Millis, mut each: impl FnMut(Millis, Millis)) {
        match self.kind {
            WindowKind::Tumble { size } => {
                if let Some(start) = self.start_of(time, size)
                    && let Some(end) = start.checked_add(size)
                {
                    each(start, end);
                }
            }
            WindowKind::Hop { slide, size } => {
                let Some(last) = self.start_of(time, slide) else {
                    return;
                };
                // The earliest window that still holds `time` begins after `time - size`.
                let count = size / slide;
                for back in (0..count).rev() {
                    let Some(start) = back.checked_mul(slide).and_then(|b| last.checked_sub(b))
                    else {
                        continue;
                    };
                    let Some(end) = start.checked_add(size) else {
                        continue;
                    };
                    if end > time {
                        each(start, end);
                    }
                }
            }
            WindowKind::Cumulate { step, size } => {
                let Some(start) = self.start_of(time, size) else {
                    return;
                };
                let mut length = ((time - start) / step + 1) * step;
                while length <= size {
                    if let Some(end) = start.checked_add(length) {
                        each(start, end);
                    }
                    length += step;
                }
            }
            WindowKind::Session { gap } => {
                if let Some(end) = time.checked_add(gap) {
                    each(time, end);
                }
            }
        }
    }

    /// How far apart the ends of windows are, where windows overlap and are made of slices of this length: HOP and CUMULATE.
    pub fn slice(&self) -> Option<Millis> {
        let (step, size) = match self.kind {
            WindowKind::Hop { slide, size } => (slide, size),
            WindowKind::Cumulate { step, size } => (step, size),
            WindowKind::Tumble { .. } | WindowKind::Session { .. } => return None,
        };
        (size > step && size % step == 0).then_some(step)
    }

    /// The slice that `time` falls into: the end of the first window that holds it is the slice's. `None` where windows are not
    /// made of slices, or windows that hold `time` would leave the range of 64-bit milliseconds.
    pub fn slice_of(&self, time: Millis) -> Option<Windows> {
        let step = self.slice()?;
        let start = self.start_of(time, step)?;
        let (first, last) = self.block_of(time)?;
        // The windows that hold it lie within the blocks around its own.
        first.checked_sub(last - first)?;
        last.checked_add(last - first)?;
        Some((start, start + step))
    }

    /// The stretch of a window's size that `time` falls into, of all those that lie end to end. A HOP window lies in one or two
    /// of them, CUMULATE windows begin where theirs does.
    pub fn block_of(&self, time: Millis) -> Option<Windows> {
        let (WindowKind::Hop { size, .. } | WindowKind::Cumulate { size, .. }) = self.kind else {
            return None;
        };
        let start = self.start_of(time, size)?;
        Some((start, start.checked_add(size)?))
    }

    fn start_of(&self, time: Millis, size: Millis) -> Option<Millis> {
        let behind = time.checked_sub(self.offset)?.rem_euclid(size);
        time.checked_sub(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(kind: WindowKind, offset: Millis, time: Millis) -> Vec<Windows> {
        let mut out = Vec::new();
        WindowSpec { kind, offset }.windows_of(time, |s, e| out.push((s, e)));
        out
    }

    #[test]
    fn tumble_floors_below_the_epoch_and_shifts_by_the_offset() {
        assert_eq!(windows(WindowKind::Tumble { size: 10 }, 0, -1), [(-10, 0)]);
        assert_eq!(windows(WindowKind::Tumble { size: 10 }, 3, 12), [(3, 13)]);
        assert_eq!(windows(WindowKind::Tumble { size: 10 }, -3, 12), [(7, 17)]);
        assert_eq!(
            windows(WindowKind::Tumble { size: 10 }, 0, i64::MIN + 1),
            []
        );
    }

    #[test]
    fn hop_and_cumulate() {
        assert_eq!(
            windows(WindowKind::Hop { slide: 5, size: 10 }, 0, 12),
            [(5, 15), (10, 20)]
        );
        assert_eq!(
            windows(WindowKind::Cumulate { step: 5, size: 15 }, 0, 7),
            [(0, 10), (0, 15)]
        );
    }

    proptest::proptest! {
        /// Every window that holds the time is given once, and no other.
        #[test]
        fn windows_are_those_that_hold_the_time(
            time in -100_000i64..100_000, step in 1i64..50, times in 1i64..9, offset in -60i64..60,
        ) {
            let size = step * times;
            let holds = |s: &Millis, e: &Millis| *s <= time && time < *e;
            let aligned = |s: &Millis, by: Millis| (s - offset).rem_euclid(by) == 0;
            let starts = time - size..=time;
            let hop: Vec<Windows> =
                starts.clone().map(|s| (s, s + size)).filter(|(s, e)| aligned(s, step) && holds(s, e)).collect();
            assert_eq!(windows(WindowKind::Hop { slide: step, size }, offset, time), hop);
            let tumble: Vec<Windows> =
                starts.clone().map(|s| (s, s + size)).filter(|(s, e)| aligned(s, size) && holds(s, e)).collect();
            assert_eq!(windows(WindowKind::Tumble { size }, offset, time), tumble);
            let cumulate: Vec<Windows> = starts
                .filter(|s| aligned(s, size))
                .flat_map(|s| (1..=times).map(move |n| (s, s + n * step)))
                .filter(|(s, e)| holds(s, e))
                .collect();
            assert_eq!(windows(WindowKind::Cumulate { step, size }, offset, time), cumulate);
            for kind in [WindowKind::Hop { slide: step, size }, WindowKind::Cumulate { step, size }] {
                let spec = WindowSpec { kind, offset };
                let Some((start, end)) = spec.slice_of(time) else {
                    assert_eq!(times, 1);
                    continue;
                };
                let all = windows(spec.kind.clone(), offset, time);
                assert!(start <= time && time < end && end - start == step);
                assert_eq!(all[0].1, end, "the first window ends with the slice");
                assert!((start..end).all(|t| windows(spec.kind.clone(), offset, t) == all));
            }
        }
    }
}
