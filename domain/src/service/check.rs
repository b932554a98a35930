//! What a service file must make sense of beyond its format.

use super::{COMPLETED, Capture, Dispatch, Mode, NO_SHOW, Nearest, Quote, Service};
use crate::policy::Until;

/// The key from the top of the file, and what is wrong with its value.
pub(super) type Wrong = (String, String);

impl Service {
    pub(super) fn check(&self) -> Result<(), Wrong> {
        if !is_word(&self.id, '-') {
            return wrong("id", "use lower-case letters, digits and '-', as in call-taxi");
        }
        if self.request.max_quantity == 0 {
            return wrong("request.max_quantity", "must be at least 1");
        }
        self.check_quote()?;
        self.check_hold()?;
        self.check_payment()?;
        self.check_dispatch()?;
        self.check_fulfilment()?;
        self.check_tiers()
    }

    fn check_quote(&self) -> Result<(), Wrong> {
        match &self.quote {
            Quote::Pool { minimum, .. } if *minimum < 0 => {
                wrong("quote.minimum", "must not be negative")
            }
            Quote::Pool { .. } if self.hold.is_none() => {
                wrong("quote.kind", "\"pool\" prices what is held: add a [hold] section")
            }
            Quote::Agreed { minimum, maximum, .. } if *minimum < 0 || maximum < minimum => {
                wrong("quote.maximum", "must be at least quote.minimum, and neither negative")
            }
            Quote::Tariff { price, prices, .. }
                if *price < 0 || prices.values().any(|it| *it < 0) =>
            {
                wrong("quote.price", "no price may be negative")
            }
            Quote::Tariff { option: None, prices, .. } if !prices.is_empty() => {
                wrong("quote.prices", "name the option that they belong to: quote.option")
            }
            Quote::Tariff { option, prices, .. } => {
                self.check_option("quote.option", option.as_ref())?;
                let values = option.as_ref().and_then(|it| self.options.get(it));
                let values = values.map_or(&[][..], |it| &it.values);
                let unknown = |it: &&String| !values.is_empty() && !values.contains(*it);
                match prices.keys().find(unknown) {
                    Some(value) => {
                        wrong(&format!("quote.prices.{value}"), "is no value of its option")
                    }
                    None => Ok(()),
                }
            }
            Quote::Pool { .. } | Quote::Agreed { .. } => Ok(()),
        }
    }

    fn check_option(&self, key: &str, option: Option<&String>) -> Result<(), Wrong> {
        match option {
            Some(option) if !self.options.contains_key(option) => {
                wrong(key, "names an option that [options] does not have")
            }
            _ => Ok(()),
        }
    }

    fn check_hold(&self) -> Result<(), Wrong> {
        let Some(hold) = &self.hold else { return Ok(()) };
        if !is_word(&hold.pool, '_') {
            return wrong("hold.pool", "use lower-case letters, digits and '_', as in taxi");
        }
        self.check_option("hold.id", hold.id.as_ref())?;
        self.check_option("hold.variant", hold.variant.as_ref())?;
        self.check_option("hold.company", hold.company.as_ref())?;
        if let Some(id) = &hold.id
            && self.options.get(id).is_some_and(|it| !it.required)
        {
            return wrong(&format!("options.{id}.required"), "must be true: hold.id needs it");
        }
        if let Some(stage) = &hold.used_at {
            self.check_stage("hold.used_at", stage)?;
            if self.dispatch == Some(Dispatch::FromHold) {
                return wrong("hold.used_at", "dispatch.kind \"from_hold\" takes it before that");
            }
        }
        Ok(())
    }

    fn check_payment(&self) -> Result<(), Wrong> {
        let Some(payment) = &self.payment else { return Ok(()) };
        if payment.capture == Capture::OnApproval && self.approval.is_none() {
            return wrong("payment.capture", "\"on_approval\" needs an [approval] section");
        }
        if payment.within.is_none() && self.hold.is_none() {
            return wrong(
                "payment.within",
                "say how long a payment is waited for: nothing is held",
            );
        }
        Ok(())
    }

    fn check_dispatch(&self) -> Result<(), Wrong> {
        match &self.dispatch {
            Some(Dispatch::FromHold) if self.hold.is_none() => {
                wrong("dispatch.kind", "\"from_hold\" takes what is held: add a [hold] section")
            }
            Some(Dispatch::Nearest(nearest)) => self.check_nearest(nearest),
            _ => Ok(()),
        }
    }

    fn check_nearest(&self, nearest: &Nearest) -> Result<(), Wrong> {
        if !self.request.place {
            return wrong("request.place", "must be true: the nearest is sought around a place");
        }
        if !is_word(&nearest.staff, '_') {
            return wrong("dispatch.staff", "use lower-case letters, digits and '_', as in driver");
        }
        self.check_option("dispatch.skill", nearest.skill.as_ref())?;
        if self.fulfilment.is_none() {
            // Without it they would be free again the moment they are assigned.
            return wrong(
                "fulfilment",
                "must be there: somebody is assigned until it is completed",
            );
        }
        if nearest.within == 0 {
            return wrong("dispatch.within", "must be at least 1 metre");
        }
        if !(1..=Nearest::MOST_ROUNDS).contains(&nearest.rounds) {
            let most = Nearest::MOST_ROUNDS;
            return wrong("dispatch.rounds", &format!("must be 1 to {most}"));
        }
        if (nearest.mode == Mode::Offer) != nearest.answer_within.is_some() {
            return wrong(
                "dispatch.answer_within",
                "belongs to dispatch.mode \"offer\", and only there",
            );
        }
        Ok(())
    }

    fn check_fulfilment(&self) -> Result<(), Wrong> {
        let Some(fulfilment) = &self.fulfilment else { return Ok(()) };
        let stages = &fulfilment.stages;
        for (index, stage) in stages.iter().enumerate() {
            let key = format!("fulfilment.stages[{index}].id");
            if !is_word(&stage.id, '_') {
                return wrong(&key, "use lower-case letters, digits and '_', as in on_the_way");
            }
            if stage.id == COMPLETED {
                return wrong(&key, "\"completed\" follows the last stage by itself");
            }
            if stage.id == NO_SHOW {
                return wrong(&key, "\"no_show\" is an end: see [fulfilment.no_show]");
            }
            if stages[..index].iter().any(|it| it.id == stage.id) {
                return wrong(&key, "stands there twice");
            }
        }
        match &fulfilment.no_show {
            Some(no_show) if no_show.refund_percent > 100 => {
                wrong("fulfilment.no_show.refund_percent", "must be 0 to 100")
            }
            _ => Ok(()),
        }
    }

    fn check_stage(&self, key: &str, stage: &str) -> Result<(), Wrong> {
        match self.stage_index(stage) {
            Some(_) => Ok(()),
            None => wrong(key, "names a stage that [fulfilment] does not have"),
        }
    }

    fn check_tiers(&self) -> Result<(), Wrong> {
        for (index, tier) in self.cancel.iter().enumerate() {
            if tier.refund_percent > 100 {
                return wrong(&format!("cancel[{index}].refund_percent"), "must be 0 to 100");
            }
            if tier.fee < 0 {
                return wrong(&format!("cancel[{index}].fee"), "must not be negative");
            }
            match &tier.until {
                Until::Stage(stage) => {
                    self.check_stage(&format!("cancel[{index}].until.stage"), stage)?;
                }
                Until::LocalTime(_) if self.time_zone.is_none() => {
                    return wrong("time_zone", "name the zone that local times are in: Asia/Seoul");
                }
                Until::LocalTime(_) | Until::BeforeStart(_) | Until::Start => {}
            }
        }
        Ok(())
    }
}

fn wrong(key: &str, reason: &str) -> Result<(), Wrong> {
    Err((key.to_owned(), reason.to_owned()))
}

fn is_word(text: &str, joint: char) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == joint;
    (1..=64).contains(&text.len()) && text.chars().all(allowed)
}
