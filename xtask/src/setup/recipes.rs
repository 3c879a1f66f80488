//! The test images as data, and the one list of those there are: which Debian packages of which suite, which scripts,
//! which configuration. Three suites give three versions of each server under the names that the official images have.

use super::broker;
use crate::process;
use anyhow::Context;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// How one image is made.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// The image's name, as jobs write it.
    pub name: &'static str,
    /// The release of Debian.
    pub suite: &'static str,
    /// What mmdebstrap starts from: `essential`, `minbase`, or `extract` (nothing).
    pub variant: &'static str,
    /// The packages on top.
    pub packages: &'static [&'static str],
    /// The folder in docker/images with `prepare.sh` (before the packages) and `customize.sh` (after them), if any.
    pub folder: Option<&'static str>,
    /// What `customize.sh` gets beside the root.
    pub argument: &'static str,
    /// Configuration, as in a Dockerfile.
    pub config: &'static [&'static str],
    /// A command that ends well in an image that is whole; run before the image gets its name.
    pub proof: &'static [&'static str],
}

/// Grows when the way images are made changes, so that all are made again.
const METHOD: u32 = 2;

/// Files that no test image needs; left out while packages are unpacked. The compiler inside PostgreSQL is the
/// largest of all, and the server does without.
pub const EXCLUDED: &[&str] = &[
    "/usr/share/man/*",
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/lib/llvm*",
    "/usr/lib/*/libLLVM*",
    "/usr/lib/postgresql/*/lib/bitcode/*",
    "/usr/lib/postgresql/*/lib/llvmjit*",
    "/usr/lib/galera*",
];

/// Every image we can make: all that examples, tests, demo and tutorial run.
pub const RECIPES: &[Recipe] = &[
    BUSYBOX,
    DEBIAN,
    redis("redis:6", "bullseye"),
    redis("redis:7", "bookworm"),
    redis("redis:8", "trixie"),
    postgres(
        "postgres:13",
        "bullseye",
        "13",
        &["postgresql-13", "libnss-wrapper", "xz-utils", "zstd"],
    ),
    postgres(
        "postgres:15",
        "bookworm",
        "15",
        &["postgresql-15", "libnss-wrapper", "xz-utils", "zstd"],
    ),
    postgres(
        "postgres:17",
        "trixie",
        "17",
        &["postgresql-17", "libnss-wrapper", "xz-utils", "zstd"],
    ),
    mariadb("mariadb:10.5", "bullseye"),
    mariadb("mariadb:10.11", "bookworm"),
    mariadb("mariadb:11.8", "trixie"),
    KAFKA,
];

/// A broker of the Kafka protocol, and a client library to talk to it.
pub const KAFKA: Recipe = Recipe {
    name: "kafka:tansu-0.6",
    suite: "bookworm",
    variant: "essential",
    packages: &["python3-kafka"],
    folder: Some("kafka"),
    argument: "",
    config: &[r#"ENTRYPOINT ["docker-entrypoint.sh"]"#, "EXPOSE 9092"],
    proof: &["tansu", "--help"],
};

const BUSYBOX: Recipe = Recipe {
    name: "busybox",
    suite: "bookworm",
    variant: "extract",
    packages: &["busybox-static"],
    folder: Some("busybox"),
    argument: "",
    config: &[r#"CMD ["sh"]"#],
    proof: &["sh", "-c", "true"],
};

const DEBIAN: Recipe = Recipe {
    name: "debian:bookworm",
    suite: "bookworm",
    variant: "minbase",
    packages: &[],
    folder: None,
    argument: "",
    config: &[r#"CMD ["bash"]"#],
    proof: &["bash", "-c", "apt-get --version"],
};

const fn redis(name: &'static str, suite: &'static str) -> Recipe {
    Recipe {
        name,
        suite,
        variant: "essential",
        packages: &["redis-server"],
        folder: Some("redis"),
        argument: "",
        config: &[
            r#"ENTRYPOINT ["docker-entrypoint.sh"]"#,
            r#"CMD ["redis-server"]"#,
            "EXPOSE 6379",
            "WORKDIR /data",
            "VOLUME /data",
        ],
        proof: &["redis-server", "--version"],
    }
}

const fn postgres(
    name: &'static str,
    suite: &'static str,
    version: &'static str,
    packages: &'static [&'static str],
) -> Recipe {
    Recipe {
        name,
        suite,
        variant: "essential",
        packages,
        folder: Some("postgres"),
        argument: version,
        config: &[
            r#"ENTRYPOINT ["docker-entrypoint.sh"]"#,
            r#"CMD ["postgres"]"#,
            "ENV PGDATA=/var/lib/postgresql/data LANG=C.UTF-8",
            "EXPOSE 5432",
            "VOLUME /var/lib/postgresql/data",
        ],
        proof: &["postgres", "--version"],
    }
}

const fn mariadb(name: &'static str, suite: &'static str) -> Recipe {
    Recipe {
        name,
        suite,
        variant: "essential",
        packages: &["mariadb-server", "xz-utils", "zstd"],
        folder: Some("mariadb"),
        argument: "",
        config: &[
            r#"ENTRYPOINT ["docker-entrypoint.sh"]"#,
            r#"CMD ["mariadbd"]"#,
            "ENV LANG=C.UTF-8",
            "EXPOSE 3306",
            "VOLUME /var/lib/mysql",
        ],
        proof: &["mariadbd", "--version"],
    }
}

impl Recipe {
    /// The recipe of this name.
    ///
    /// # Errors
    /// When there is none; the message lists those there are.
    pub fn named(name: &str) -> anyhow::Result<&'static Recipe> {
        RECIPES.iter().find(|recipe| recipe.name == name).with_context(|| {
            let names: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
            format!("no recipe for the image `{name}`; there are {}", names.join(", "))
        })
    }

    /// A script of the image's folder, if it has one of this name.
    pub fn script(&self, name: &str) -> Option<PathBuf> {
        let script = self.folder()?.join(name);
        script.exists().then_some(script)
    }

    /// A hash of everything that decides what comes out, but for new package versions: equal hashes need no new image.
    ///
    /// # Errors
    /// When a file of the image's folder cannot be read.
    pub fn hash(&self) -> anyhow::Result<String> {
        let mut hash = Sha256::new();
        hash.update(format!("{METHOD} {self:?} {EXCLUDED:?}"));
        if self.name == KAFKA.name {
            hash.update(broker::PACKAGE);
        }
        for file in self.files()? {
            let text = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
            hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            hash.update(text);
        }
        Ok(hex::encode(hash.finalize())[..16].to_owned())
    }

    /// The files of the image's folder, in order.
    fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let Some(folder) = self.folder() else {
            return Ok(Vec::new());
        };
        let entries = std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.sort();
        Ok(files)
    }

    fn folder(&self) -> Option<PathBuf> {
        Some(process::workspace().join("docker/images").join(self.folder?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_made_in_one_way_and_every_folder_exists() {
        for recipe in RECIPES {
            assert_eq!(
                RECIPES.iter().filter(|other| other.name == recipe.name).count(),
                1,
                "{}",
                recipe.name
            );
            if recipe.folder.is_some() {
                assert!(
                    recipe.script("customize.sh").is_some(),
                    "{} has no customize.sh",
                    recipe.name
                );
            }
        }
    }

    #[test]
    fn another_recipe_has_another_hash_and_the_same_one_the_same() {
        let bookworm = Recipe::named("redis:7").unwrap().hash().unwrap();
        let trixie = Recipe::named("redis:8").unwrap().hash().unwrap();
        assert_eq!(bookworm, Recipe::named("redis:7").unwrap().hash().unwrap());
        assert_ne!(bookworm, trixie);
    }

    #[test]
    fn an_unknown_image_is_answered_with_the_known_ones() {
        let error = Recipe::named("oracle:1").unwrap_err().to_string();
        assert!(error.contains("`oracle:1`") && error.contains("postgres:15"), "{error}");
    }
}
