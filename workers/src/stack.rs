//! All of Bellhop in one process: database, API, workers and partners, on one connection to Temporal.

use std::{path::PathBuf, time::Duration};

use bellhop_api::{Api, Services, Tokens};
use bellhop_domain::plan::Pace;
use bellhop_store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    api,
    config::{Families, LifeArgs, LimitArgs, PartnerArgs, TemporalArgs},
    due, seed,
    simulator::{self, Simulator},
    temporal,
    worker::{Hands, Interceptor, Queue},
};

/// What one process is composed of.
pub struct Stack {
    /// Where the API listens.
    pub api: TcpListener,
    /// Where the partners listen.
    pub simulator: TcpListener,
    /// The file of the partners' books.
    pub ledger: PathBuf,
    /// The database.
    pub database_url: String,
    /// Where Temporal is.
    pub temporal: TemporalArgs,
    /// Where its web UI is, if that is ours.
    pub temporal_ui: Option<String>,
    /// What is offered.
    pub services: Services,
    /// The families that are tried inline.
    pub inline: Families,
    /// The pace of new bookings.
    pub pace: Pace,
    /// How partners are called; their addresses are the simulator's.
    pub partners: PartnerArgs,
    /// How much the API takes on at once.
    pub limits: LimitArgs,
    /// How long workers live, and how they end.
    pub life: LifeArgs,
    /// What runs around every activity.
    pub interceptor: Option<Interceptor>,
}

/// A process that takes bookings.
pub struct Ready<'a> {
    /// The API's base URL.
    pub api: String,
    /// The simulator's.
    pub simulator: String,
    /// Where Temporal is.
    pub temporal: &'a TemporalArgs,
    /// Where its web UI is, if that is ours.
    pub temporal_ui: Option<&'a str>,
    /// What its workers share.
    pub hands: &'a Hands,
}

impl Stack {
    /// Serves until `stop`; once it takes bookings, `then` runs beside it.
    ///
    /// # Errors
    /// The part that failed, or what `then` fails with.
    pub async fn serve(
        self,
        stop: CancellationToken,
        then: impl AsyncFnOnce(Ready<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (api_at, simulator_at) = (self.api.local_addr()?, self.simulator.local_addr()?);
        let store = Store::open(&self.database_url).await?;
        store.migrate().await?;
        seed::sow(&store).await?;
        let simulator = Simulator::open(simulator::Options { ledger: self.ledger })?;
        let at = &self.temporal;
        let client = temporal::connect(&at.temporal_address, &at.temporal_namespace).await?;

        let mut partners = self.partners;
        partners.payments_url = format!("http://{simulator_at}");
        partners.messages_url = format!("http://{simulator_at}");
        let hands = Hands::new(
            store.clone(),
            client.clone(),
            at,
            self.inline,
            &partners,
            self.life,
            self.interceptor,
        )?;
        hands.join(Queue::Bookings).await?;
        let settings = self.limits.settings(&at.bookings_queue);
        let (db, temporal) = (store.clone(), client.clone());
        let api = Api::new(db, temporal, self.services, Tokens::dev(), self.pace, settings);

        // Each part is stopped once those that need it have ended.
        let (workers_stop, partners_stop) = (CancellationToken::new(), CancellationToken::new());
        let serving = stop.clone();
        let api = async {
            api::serve(api, self.api, self.life.drain, serving).await?;
            workers_stop.cancel();
            Ok(())
        };
        let workers = async {
            tokio::try_join!(
                hands.serve(Queue::Bookings, workers_stop.clone()),
                hands.serve(Queue::Payments, workers_stop.clone()),
                hands.serve(Queue::Dispatch, workers_stop.clone()),
                hands.serve(Queue::Notifications, workers_stop.clone()),
            )?;
            partners_stop.cancel();
            Ok(())
        };
        let simulator = simulator.serve(self.simulator, partners_stop.clone().cancelled_owned());
        let due = async {
            due::watch(store.clone(), client.clone(), workers_stop.clone()).await;
            Ok(())
        };
        let then = async {
            let ready = Ready {
                api: format!("http://{api_at}"),
                simulator: format!("http://{simulator_at}"),
                temporal: at,
                temporal_ui: self.temporal_ui.as_deref(),
                hands: &hands,
            };
            tokio::select! {
                () = until_ready(&ready.api) => {}
                () = stop.cancelled() => return Ok(()),
            }
            then(ready).await
        };
        tokio::try_join!(api, workers, simulator, due, then)?;
        store.close().await;
        Ok(())
    }
}

/// Waits until an API says that it is ready.
async fn until_ready(api: &str) {
    let http = reqwest::Client::new();
    let url = format!("{api}/readyz");
    while !http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
