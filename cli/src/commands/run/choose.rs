//! Which jobs of a file `drover run` runs: those that were named with all that they need, and the cells of `--matrix`.

use job_specs::model::{JobSpec, Need};

use crate::args::Run;
use crate::exit::{Exit, Stop};

/// What is run.
#[derive(Debug)]
pub struct Chosen {
    /// The jobs.
    pub jobs: Vec<JobSpec>,
    /// Needs of theirs that are only on cells that `--matrix` leaves out.
    pub met: Vec<Need>,
}

/// The jobs that were named, with everything that they need; of those, the cells that `--matrix` leaves.
pub fn choose(jobs: Vec<JobSpec>, run: &Run) -> anyhow::Result<Chosen> {
    let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
    if let Some(unknown) = run.jobs.iter().find(|wanted| !names.contains(wanted)) {
        let help = format!("jobs here: {}", dedup(names).join(", "));
        return Err(Stop::new(Exit::NotFound, format!("there is no job `{unknown}`"))
            .help(help)
            .into());
    }
    let mut wanted: Vec<String> = if run.jobs.is_empty() { names } else { run.jobs.clone() };
    let mut at = 0;
    while at < wanted.len() {
        let needs = jobs
            .iter()
            .filter(|job| job.name == wanted[at])
            .flat_map(|job| job.needs.iter().map(|need| &need.job));
        let new: Vec<String> = needs.filter(|need| !wanted.contains(need)).cloned().collect();
        wanted.extend(dedup(new));
        at += 1;
    }
    let fits = |job: &JobSpec| {
        run.matrix.iter().all(|(axis, value)| {
            let cell = job.matrix.iter().find(|cell| cell.axis == *axis);
            cell.is_none_or(|cell| cell.value == *value)
        })
    };
    let known = |axis: &str| jobs.iter().any(|job| job.matrix.iter().any(|cell| cell.axis == axis));
    if let Some((axis, _)) = run.matrix.iter().find(|(axis, _)| !known(axis)) {
        return Err(Stop::new(Exit::NotFound, format!("no job here has a matrix axis `{axis}`")).into());
    }
    let (chosen, others): (Vec<JobSpec>, Vec<JobSpec>) = jobs
        .into_iter()
        .partition(|job| wanted.contains(&job.name) && fits(job));
    if chosen.is_empty() {
        return Err(Stop::new(Exit::NotFound, "no cell has those matrix values").into());
    }
    let counts = |jobs: &[JobSpec], need: &Need| {
        let mut named = jobs.iter().filter(|job| job.name == need.job);
        named.any(|job| job.deferred || need.counts(&job.matrix))
    };
    let needs = chosen.iter().flat_map(|job| &job.needs);
    let met = needs.filter(|need| !counts(&chosen, need) && counts(&others, need));
    let met = met.cloned().collect();
    Ok(Chosen { jobs: chosen, met })
}

fn dedup(mut names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}
