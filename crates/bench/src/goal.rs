//! What is asked for.

use crate::contender::Contender;
use crate::measure::{Figure, significant};
use crate::report::Results;

/// Something that is asked of a kind of work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    pub(crate) figure: Figure,
    pub(crate) bound: Bound,
    /// What the bound is a multiple of.
    pub(crate) than: Than,
    /// Whether a tenth more than the floor passes as well.
    pub(crate) or_near_floor: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// What a figure is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Than {
    /// The same figure of another contender, in the same run.
    Contender(Contender),
    /// Our own figure in other work.
    Work(&'static str),
    /// Nothing: the bound itself.
    Itself,
}

/// How a goal was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    /// The figure as a multiple of what it is compared with.
    pub(crate) found: f64,
    pub(crate) is_met: bool,
    pub(crate) is_far: bool,
}

/// At most so much of what distribution 3.1.1 takes.
pub(crate) const fn most(figure: Figure, ratio: f64) -> Goal {
    goal(
        figure,
        Bound::AtMost(ratio),
        Than::Contender(Contender::Distribution3),
    )
}

/// At least so much of what distribution 3.1.1 does.
pub(crate) const fn least(figure: Figure, ratio: f64) -> Goal {
    goal(
        figure,
        Bound::AtLeast(ratio),
        Than::Contender(Contender::Distribution3),
    )
}

/// Bytes.
pub(crate) const MIB: f64 = 1_048_576.0;

/// At most so much, whatever others take.
pub(crate) const fn at_most(figure: Figure, value: f64) -> Goal {
    goal(figure, Bound::AtMost(value), Than::Itself)
}

pub(crate) const fn goal(figure: Figure, bound: Bound, than: Than) -> Goal {
    Goal {
        figure,
        bound,
        than,
        or_near_floor: false,
    }
}

impl Goal {
    pub(crate) const fn or_near_floor(mut self) -> Self {
        self.or_near_floor = true;
        self
    }

    /// The goal in words.
    pub(crate) fn describe(self, unit: &str) -> String {
        let (sign, value) = match self.bound {
            Bound::AtMost(value) => ("≤", value),
            Bound::AtLeast(value) => ("≥", value),
        };
        let name = self.figure.name();
        let than = match self.than {
            Than::Itself => return format!("{name} {sign} {}", self.figure.show(value, unit)),
            Than::Contender(Contender::Distribution3) => String::new(),
            Than::Contender(contender) => format!(" of {}", contender.name()),
            Than::Work(work) => format!(" of “{work}”"),
        };
        let or = if self.or_near_floor {
            " or within a tenth of the floor"
        } else {
            ""
        };
        format!("{name} {sign} {value} ×{than}{or}")
    }

    /// A value that was found, as the goal has it.
    pub(crate) fn show(self, found: f64, unit: &str) -> String {
        match self.than {
            Than::Itself => self.figure.show(found, unit),
            _ => format!("{} ×", significant(found)),
        }
    }

    /// What was found, where all of it was measured.
    pub(crate) fn judge(
        self,
        case: &str,
        results: &Results,
        floor: &[Contender],
    ) -> Option<Verdict> {
        let own = results.median(case, Contender::Boxyard, self.figure)?;
        let other = match self.than {
            Than::Itself => 1.0,
            Than::Contender(contender) => results.median(case, contender, self.figure)?,
            Than::Work(work) => results.median(work, Contender::Boxyard, self.figure)?,
        };
        let found = own / other.max(1e-12);
        let is_near = self.or_near_floor
            && floor
                .iter()
                .filter(|floor| !floor.is_registry())
                .filter_map(|floor| results.median(case, *floor, self.figure))
                .any(|floor| self.holds(own / floor, 1.1_f64.recip(), 1.1));
        Some(Verdict {
            found,
            is_met: is_near || self.is_within(found, 1.0),
            is_far: !is_near && !self.is_within(found, self.slack()),
        })
    }

    fn is_within(self, found: f64, slack: f64) -> bool {
        match self.bound {
            Bound::AtMost(most) => found <= most * slack,
            Bound::AtLeast(least) => found >= least / slack,
        }
    }

    fn holds(self, found: f64, least: f64, most: f64) -> bool {
        match self.bound {
            Bound::AtMost(_) => found <= most,
            Bound::AtLeast(_) => found >= least,
        }
    }

    /// How far a short run may be from the goal: what a busy machine does to this figure.
    fn slack(self) -> f64 {
        match self.figure {
            Figure::Cpu => 2.0,
            Figure::Memory => 1.5,
            Figure::Rate | Figure::Time => 3.0,
            Figure::Median | Figure::P99 | Figure::PacedP99 | Figure::Strain => 4.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Measured;

    fn judged(goal: Goal, ours: f64, theirs: f64) -> Verdict {
        let mut results = Results::default();
        for (contender, value) in [
            (Contender::Boxyard, ours),
            (Contender::Distribution3, theirs),
        ] {
            let measured = Measured::default().with(goal.figure, value);
            results.add("work", contender, measured);
        }
        goal.judge("work", &results, &[]).expect("all is measured")
    }

    #[test]
    fn a_ratio_that_is_lost_is_not_met_and_one_lost_by_far_is_far() {
        let goal = most(Figure::Cpu, 0.1);

        let met = judged(goal, 1.0, 10.0);
        let lost = judged(goal, 1.9, 10.0);
        let far = judged(goal, 2.1, 10.0);

        assert!(met.is_met && !met.is_far);
        assert!(!lost.is_met && !lost.is_far);
        assert!(!far.is_met && far.is_far);
    }

    #[test]
    fn a_rate_is_asked_for_at_least() {
        let goal = least(Figure::Rate, 4.0);

        assert!(judged(goal, 4.0, 1.0).is_met);
        assert!(!judged(goal, 3.9, 1.0).is_met);
        assert!(judged(goal, 1.3, 1.0).is_far);
    }

    #[test]
    fn what_comes_near_its_floor_passes() {
        let goal = least(Figure::Rate, 1.5).or_near_floor();
        let mut results = Results::default();
        for (contender, value) in [
            (Contender::Boxyard, 0.95),
            (Contender::Distribution3, 0.9),
            (Contender::Disk, 1.0),
        ] {
            results.add(
                "push",
                contender,
                Measured::default().with(Figure::Rate, value),
            );
        }
        let floors = [Contender::Disk];

        let verdict = goal.judge("push", &results, &floors);

        assert!(verdict.expect("all is measured").is_met);
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let results = Results::default();

        assert!(
            most(Figure::Cpu, 1.0)
                .judge("work", &results, &[])
                .is_none()
        );
    }
}
