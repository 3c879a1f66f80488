//! What the owner of an agent's machine decides: the options that `up` and `agent` share.

use agent::attempt::retained::RetainLimits;
use agent::engine::{Firewall, HostImages, Limits, LocalAccess, LocalAddress, Policy};
use clap::{Args, ValueEnum};

/// What jobs may do on this machine
#[derive(Debug, Args)]
pub struct Machine {
    /// An address of this machine or its network that jobs, builds and pulls may reach all the same; may be repeated
    #[arg(long, env = "DROVER_ALLOW_LOCAL", value_name = "HOST[:PORT]", value_delimiter = ',')]
    pub allow_local: Vec<LocalAddress>,
    /// Who may use images that were put on this machine by hand
    #[arg(long, value_name = "WHO", default_value = "all")]
    pub host_images: WhoseImages,
    /// Whether rules of the firewall keep jobs from this machine: `required` runs no untrusted job without them
    #[arg(long, env = "DROVER_FIREWALL", value_name = "HOW", default_value = "auto")]
    pub firewall: Rules,
    /// Memory of one container at most [default: seven eighths of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = super::size)]
    pub max_memory: Option<u64>,
    /// Disk of one job at most: workspace, containers, volumes [default: its share of half of the disk, at least 10g;
    /// 0: any]
    #[arg(long, value_name = "SIZE", value_parser = super::size)]
    pub max_disk: Option<u64>,
    /// Failed jobs that are retained at once (`hold_on_failure`)
    #[arg(long, alias = "max-held", value_name = "N", default_value_t = RetainLimits::default().agent)]
    pub max_retained: usize,
}

/// `--host-images`
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum WhoseImages {
    /// Every job
    All,
    /// Jobs of trusted builds
    Trusted,
    /// No job
    Nobody,
}

/// `--firewall`
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Rules {
    /// Set where that is possible
    Auto,
    /// Needed for untrusted jobs
    Required,
    /// None
    Off,
}

impl Machine {
    /// As the agent wants it.
    pub fn policy(&self) -> Policy {
        let most = Limits::most_of_this_machine();
        Policy {
            local: LocalAccess::Only(self.allow_local.clone()),
            host_images: match self.host_images {
                WhoseImages::All => HostImages::All,
                WhoseImages::Trusted => HostImages::Trusted,
                WhoseImages::Nobody => HostImages::Nobody,
            },
            firewall: match self.firewall {
                Rules::Auto => Firewall::Auto,
                Rules::Required => Firewall::Required,
                Rules::Off => Firewall::Off,
            },
            most: Limits {
                memory_bytes: self.max_memory.or(most.memory_bytes),
                disk_bytes: self.max_disk,
                ..most
            },
        }
    }

    /// How many failed jobs stay.
    pub fn retain(&self) -> RetainLimits {
        RetainLimits {
            agent: self.max_retained,
            ..RetainLimits::default()
        }
    }
}
