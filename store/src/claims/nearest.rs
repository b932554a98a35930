//! Who is near: everybody free in a box around the place, by the index; then by the exact distance.

use std::cmp::Ordering;

use bellhop_domain::{
    act::Claim,
    event::Assignment,
    id::{CompanyId, OfferId, SubjectId},
    plan::{Place, Plan},
    service::Dispatch,
};

use crate::{
    Result,
    column::{Json, Word},
    db::{Tx, query},
    staff::{degrees, millionths},
};

/// The mean radius of the earth, in metres.
const EARTH: f64 = 6_371_008.8;

/// How many rows are read at a time.
const BATCH: usize = 500;

/// How many of the nearest are kept to be tried one after the other.
const KEPT: usize = 32;

/// Who is sought, and where.
pub(super) struct Sought<'a> {
    kind: &'a str,
    skill: Option<&'a str>,
    place: &'a Place,
    /// In metres.
    within: f64,
    excluded: &'a [SubjectId],
}

/// Somebody who is near and free.
#[derive(Debug)]
pub(super) struct Near {
    pub(super) id: SubjectId,
    company: CompanyId,
    name: String,
    /// From the place, in metres.
    distance: f64,
}

impl Near {
    pub(super) fn assignment(&self, claim: &Claim) -> Assignment {
        Assignment {
            company: Some(self.company.clone()),
            label: self.name.clone(),
            subject: Some(self.id.clone()),
            offer: Some(OfferId::new(&claim.booking, claim.ordinal)),
        }
    }

    /// The nearest first; of two who are as near, always the same one.
    fn order(&self, other: &Self) -> Ordering {
        self.distance.total_cmp(&other.distance).then_with(|| self.id.cmp(&other.id))
    }
}

impl<'a> Sought<'a> {
    /// Who a claim of a plan is for; nobody where the plan seeks none.
    pub(super) fn of(claim: &'a Claim, plan: &'a Plan) -> Option<Self> {
        let Some(Dispatch::Nearest(rule)) = &plan.service.dispatch else { return None };
        Some(Self {
            kind: &rule.staff,
            skill: plan.skill(),
            place: plan.request.place.as_ref()?,
            within: f64::from(claim.within),
            excluded: &claim.excluded,
        })
    }

    /// The nearest who are free, nearest first; empty where nobody is.
    pub(super) async fn find(&self, tx: &mut Tx) -> Result<Vec<Near>> {
        let (mut found, mut after) = (vec![], String::new());
        loop {
            let rows = self.rows(tx, &after).await?;
            let is_last = rows.len() < BATCH;
            if let Some(last) = rows.last() {
                last.id.0.as_str().clone_into(&mut after);
            }
            found.extend(rows.into_iter().filter_map(|row| self.near(row)));
            found.sort_unstable_by(Near::order);
            found.truncate(KEPT);
            if is_last {
                return Ok(found);
            }
        }
    }

    /// Everybody free in the box around the place whose ids follow `after`.
    async fn rows(&self, tx: &mut Tx, after: &str) -> Result<Vec<Row>> {
        let ((south, north), (west, east)) = self.reach();
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        Ok(query!(
            fetch_all,
            tx,
            "SELECT id, company, name, skills, lat_e6, lon_e6 FROM staff
             WHERE kind = $1 AND available AND lat_e6 BETWEEN $2 AND $3
               AND lon_e6 BETWEEN $4 AND $5 AND id > $6
               AND NOT EXISTS (SELECT 1 FROM claims
                               WHERE claims.staff_id = staff.id AND claims.ended_at IS NULL)
             ORDER BY id LIMIT $7",
            self.kind,
            millionths(south),
            millionths(north),
            millionths(west),
            millionths(east),
            after,
            limit,
        )?)
    }

    /// The box that everybody so near is in: from south to north, and from west to east. Where it
    /// would go around a pole or over the date line, it goes around the earth.
    fn reach(&self) -> ((f64, f64), (f64, f64)) {
        let Place { lat, lon, .. } = *self.place;
        let height = (self.within / EARTH).to_degrees() + 0.000_002;
        let (south, north) = ((lat - height).max(-90.0), (lat + height).min(90.0));
        // Circles of latitude are shortest where the box is nearest to a pole.
        let shortest = south.abs().max(north.abs()).to_radians().cos();
        let width = height / shortest;
        let all_around = (-180.0, 180.0);
        let is_all_around = shortest <= 0.0 || lon - width < -180.0 || lon + width > 180.0;
        let span = if is_all_around { all_around } else { (lon - width, lon + width) };
        ((south, north), span)
    }

    fn near(&self, row: Row) -> Option<Near> {
        let distance = distance(self.place, degrees(row.lat_e6), degrees(row.lon_e6));
        let can = self.skill.is_none_or(|skill| row.skills.0.iter().any(|it| it == skill));
        let is_sought = can && distance <= self.within && !self.excluded.contains(&row.id.0);
        let Row { id, company, name, .. } = row;
        is_sought.then_some(Near { id: id.0, company: company.0, name, distance })
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Word<SubjectId>,
    company: Word<CompanyId>,
    name: String,
    skills: Json<Vec<String>>,
    lat_e6: i64,
    lon_e6: i64,
}

/// How far it is along the surface of the earth, in metres (haversine).
fn distance(from: &Place, lat: f64, lon: f64) -> f64 {
    let half_sine = |angle: f64| (angle.to_radians() / 2.0).sin().powi(2);
    let cosines = from.lat.to_radians().cos() * lat.to_radians().cos();
    let a = half_sine(lat - from.lat) + cosines * half_sine(lon - from.lon);
    2.0 * EARTH * a.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(lat: f64, lon: f64) -> Place {
        Place { address: "somewhere".to_owned(), lat, lon }
    }

    fn sought(place: &Place, within: u32) -> Sought<'_> {
        let within = f64::from(within);
        Sought { kind: "driver", skill: None, place, within, excluded: &[] }
    }

    #[test]
    fn a_distance_is_along_the_surface() {
        let mapo = place(37.5563, 126.9236);
        // From Mapo to Busan's station, and a degree along a meridian.
        assert!((distance(&mapo, 35.1151, 129.0415) - 330_000.0).abs() < 5_000.0);
        assert!((distance(&place(0.0, 0.0), 1.0, 0.0) - 111_195.0).abs() < 1.0);
        assert!(distance(&place(0.0, 179.999), 0.0, -179.999) < 223.0, "over the date line");
        assert!((distance(&place(0.0, 0.0), 0.0, 180.0) - EARTH * std::f64::consts::PI) < 1.0);
    }

    #[test]
    fn everybody_so_near_is_in_the_box() {
        for (lat, lon) in
            [(37.5563, 126.9236), (0.0, 0.0), (-60.0, 10.0), (89.99, 10.0), (10.0, 179.99)]
        {
            let place = place(lat, lon);
            for within in [1, 3_000, 60_000, 4_000_000_000] {
                let ((south, north), (west, east)) = sought(&place, within).reach();
                for step in 0..360 {
                    // Around the place, just within reach.
                    let reach = f64::from(within.min(10_000_000)) * 0.999_999 / EARTH;
                    let bearing = f64::from(step).to_radians();
                    let from = lat.to_radians();
                    let sine = from.sin() * reach.cos() + from.cos() * reach.sin() * bearing.cos();
                    let to = sine.clamp(-1.0, 1.0).asin();
                    let turn = (bearing.sin() * reach.sin() * from.cos())
                        .atan2(reach.cos() - from.sin() * to.sin());
                    let lon = (lon + turn.to_degrees() + 540.0).rem_euclid(360.0) - 180.0;
                    let lat = to.to_degrees();
                    assert!(
                        (south..=north).contains(&lat) && (west..=east).contains(&lon),
                        "{within} m, {step}°: {lat} {lon} in {south} {north} {west} {east}"
                    );
                }
            }
        }
    }
}
