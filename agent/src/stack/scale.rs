//! `scale`: one service of the file to the containers that it stands for. From here on each is a service of its own,
//! with its own name, folder, log and states. Pure.

use job_specs::model::{Dependency, ServiceSpec};

/// Every service as often as it is to run. All replicas answer to the service's own name as well, and who depends on
/// it depends on each of them; what depends on a service without any waits for nothing.
pub(super) fn expand(services: Vec<ServiceSpec>) -> Vec<ServiceSpec> {
    let names: Vec<(String, Vec<String>)> = services
        .iter()
        .map(|service| (service.name.clone(), service.replicas()))
        .collect();
    let edges = |edge: &Dependency| -> Vec<Dependency> {
        match names.iter().find(|(name, _)| *name == edge.service) {
            Some((_, replicas)) => replicas
                .iter()
                .map(|replica| Dependency {
                    service: replica.clone(),
                    ..edge.clone()
                })
                .collect(),
            None => vec![edge.clone()],
        }
    };
    let copies = |service: ServiceSpec| {
        let depends_on: Vec<Dependency> = service.depends_on.iter().flat_map(edges).collect();
        let mut aliases = service.aliases.clone();
        if service.scale > 1 {
            aliases.push(service.name.clone());
        }
        let replicas = service.replicas();
        replicas
            .into_iter()
            .map(|name| ServiceSpec {
                name,
                depends_on: depends_on.clone(),
                aliases: aliases.clone(),
                scale: 1,
                ..service.clone()
            })
            .collect::<Vec<_>>()
    };
    services.iter().cloned().flat_map(copies).collect()
}

#[cfg(test)]
mod tests {
    use job_specs::model::DependencyCondition::ServiceHealthy;

    use super::*;

    fn service(name: &str, scale: u32, needs: &[&str]) -> ServiceSpec {
        let edge = |service: &&str| Dependency {
            service: (*service).to_owned(),
            condition: ServiceHealthy,
            required: true,
        };
        ServiceSpec {
            name: name.into(),
            scale,
            depends_on: needs.iter().map(edge).collect(),
            ..ServiceSpec::default()
        }
    }

    #[test]
    fn each_replica_has_its_name_and_who_depends_on_them_depends_on_all() {
        let file = vec![
            service("web", 2, &["db", "off"]),
            service("db", 1, &[]),
            service("off", 0, &[]),
            service("proxy", 1, &["web"]),
        ];
        let message: Vec<String> = expand(file)
            .iter()
            .map(|service| {
                let needs: Vec<&str> = service.depends_on.iter().map(|edge| edge.service.as_str()).collect();
                format!("{} {:?} needs {needs:?}", service.name, service.aliases)
            })
            .collect();
        insta::assert_snapshot!(message.join("\n"), @r#"
        web-1 ["web"] needs ["db"]
        web-2 ["web"] needs ["db"]
        db [] needs []
        proxy [] needs ["web-1", "web-2"]
        "#);
    }
}
