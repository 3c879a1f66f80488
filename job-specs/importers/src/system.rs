//! The systems whose files are read, and where those files are.

/// Names of Compose files, the preferred one first.
const COMPOSE_FILES: &[&str] = &[
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

/// Whose file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// A Compose file: its services run beside the jobs.
    Compose,
    /// Woodpecker CI: `.woodpecker.yml`, or one of `.woodpecker/*.yml`.
    Woodpecker,
    /// GitLab CI: `.gitlab-ci.yml`.
    Gitlab,
    /// GitHub Actions: one of `.github/workflows/*.yml`.
    Github,
    /// Drone: `.drone.yml`.
    Drone,
}

impl System {
    /// How people call it.
    pub fn title(self) -> &'static str {
        match self {
            System::Compose => "Compose",
            System::Woodpecker => "Woodpecker",
            System::Gitlab => "GitLab CI",
            System::Github => "GitHub Actions",
            System::Drone => "Drone",
        }
    }

    /// Where its files are, relative to the repository; a name that ends in `/` is a folder of `.yml` files.
    pub fn paths(self) -> &'static [&'static str] {
        match self {
            System::Compose => COMPOSE_FILES,
            System::Woodpecker => &[".woodpecker.yml", ".woodpecker.yaml", ".woodpecker/"],
            System::Gitlab => &[".gitlab-ci.yml"],
            System::Github => &[".github/workflows/"],
            System::Drone => &[".drone.yml"],
        }
    }
}

/// The Compose file among the names, if there is one.
pub fn compose_file(names: &[String]) -> Option<&'static str> {
    let is_here = |file: &&str| names.iter().any(|name| name == file);
    COMPOSE_FILES.iter().copied().find(is_here)
}
