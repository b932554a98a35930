//! Messages: how they travel, whom they are for, and how they stand.

use crate::{service::Service, words::words};

words! {
    /// How a message travels.
    Channel {
        /// A text message.
        Sms = "sms",
        /// KakaoTalk (AlimTalk).
        KakaoTalk = "kakaotalk",
        /// The customer's own page: it is there at once, and no gateway is asked.
        Page = "page",
    }
}

words! {
    /// Whom a message is for.
    Audience {
        /// Who booked.
        Customer = "customer",
        /// Who serves the booking, or is asked to.
        Staff = "staff",
    }
}

words! {
    /// How a message stands.
    MessageStatus {
        /// It was not sent yet.
        Due = "due",
        /// It was tried, and will be again.
        Retrying = "retrying",
        /// The gateway took it.
        Delivered = "delivered",
        /// It will not be sent; the next channel of the service stands in.
        Failed = "failed",
    }
}

impl Audience {
    /// The channels that a service has to them, in the order of preference.
    pub const fn channels(self, service: &Service) -> &Vec<Channel> {
        match self {
            Self::Customer => &service.messages.customer,
            Self::Staff => &service.messages.staff,
        }
    }
}
