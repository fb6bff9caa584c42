//! From the probability that a model states to the one that was measured: a table with straight lines between its
//! points, never falling.

use serde::Deserialize;

/// The most points of a table.
const MAX_POINTS: usize = 256;

/// A map of the numbers from 0 to 1 to themselves that never falls. Outside its points it is level.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Vec<[f64; 2]>")]
pub(super) struct Calibration(Vec<[f64; 2]>);

impl TryFrom<Vec<[f64; 2]>> for Calibration {
    type Error = String;

    fn try_from(points: Vec<[f64; 2]>) -> Result<Self, String> {
        if points.len() < 2 || points.len() > MAX_POINTS {
            return Err(format!("a calibration table has 2 to {MAX_POINTS} points, this has {}", points.len()));
        }
        if points.iter().flatten().any(|x| !(0.0..=1.0).contains(x)) {
            return Err("every number of a calibration table is from 0 to 1".to_owned());
        }
        if points.windows(2).any(|pair| pair[0][0] >= pair[1][0] || pair[0][1] > pair[1][1]) {
            return Err("the first numbers of a calibration table rise, and the second ones never fall".to_owned());
        }
        Ok(Self(points))
    }
}

impl Calibration {
    pub(super) fn at(&self, x: f64) -> f64 {
        let Self(points) = self;
        let above = points.iter().position(|point| point[0] >= x);
        match above {
            None => points[points.len() - 1][1],
            Some(0) => points[0][1],
            Some(above) => {
                let ([x0, y0], [x1, y1]) = (points[above - 1], points[above]);
                y0 + (y1 - y0) * (x - x0) / (x1 - x0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_straight_between_its_points_and_level_outside() {
        let table = Calibration::try_from(vec![[0.25, 0.0], [0.5, 0.5], [0.75, 0.5], [1.0, 1.0]]).unwrap();
        for (x, y) in [(0.0, 0.0), (0.25, 0.0), (0.375, 0.25), (0.5, 0.5), (0.6, 0.5), (0.875, 0.75), (1.0, 1.0)] {
            assert_eq!(table.at(x), y, "{x}");
        }
        assert_eq!(Calibration::try_from(vec![[0.2, 0.1], [0.8, 0.9]]).unwrap().at(1.0), 0.9);
    }

    #[test]
    fn what_falls_is_no_table() {
        for points in [
            vec![],
            vec![[0.0, 0.0]],
            vec![[0.0, 0.5], [1.0, 0.4]],
            vec![[0.5, 0.0], [0.5, 1.0]],
            vec![[0.0, 0.0], [1.5, 1.0]],
            vec![[0.0, f64::NAN], [1.0, 1.0]],
        ] {
            assert!(Calibration::try_from(points.clone()).is_err(), "{points:?}");
        }
    }
}
