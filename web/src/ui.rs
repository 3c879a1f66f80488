//! The small parts that every page is made of. Each is a template of a line or two that escapes what it is given, so
//! a part may be written into a page as it is.

use askama::Template;
use askama::filters::HtmlSafe;
use job_specs::model::AxisValue;
use job_specs::status::JobStatus;

use crate::format;
use crate::log::{Excerpt, Log};
use crate::look::{self, Look};
use crate::matrix::Head;
use crate::ruler::{Segment, Tick};
use crate::views::{
    AttemptView, BuildSummary, Failure, Frame, JobRow, LogView, Micros, ServicePhase, TestSection, TestState,
};

macro_rules! part {
    ($name:ident { $($field:ident: $type:ty),* $(,)? } $source:literal) => {
        #[derive(Template)]
        #[template(ext = "html", source = $source)]
        pub struct $name<'a> { $($field: $type,)* life: std::marker::PhantomData<&'a ()> }
        impl HtmlSafe for $name<'_> {}
        impl<'a> $name<'a> {
            fn new($($field: $type),*) -> Self { $name { $($field,)* life: std::marker::PhantomData } }
        }
    };
}

part!(Shape { icon: &'a str } r##"<svg class="i{% if icon == "running" %} spin{% endif %}" aria-hidden="true"><use href="#i-{{ icon }}"/></svg>"##);
part!(Status { look: Look } r##"<span class="st {{ look.tone }}">{{ self::shape(look.icon) }}<span>{{ look.word }}</span></span>"##);
part!(Icon { look: Look } r##"<span class="ic {{ look.tone }}" title="{{ look.word }}">{{ self::shape(look.icon) }}<span class="vh">{{ look.word }}</span></span>"##);
part!(Big { look: Look } r##"<span class="big {{ look.tone }}">{{ self::shape(look.icon) }}</span>"##);
part!(Word { look: Look } r##"<b class="{{ look.tone }}">{{ look.word }}</b>"##);
part!(State { title: &'a str, icon: &'a str } r##"<span id="state" hidden data-title="{{ title }}" data-icon="{{ crate::assets::url(icon) }}"></span>"##);
part!(Ago { now: Micros, at: Micros } r##"<time datetime="{{ format::utc(*at) }}" data-ago>{{ format::ago(*now, *at) }}</time>"##);
part!(Took { from: Option<Micros>, to: Option<Micros>, now: Micros } r##"
    {%- if let Some(from) = from -%}
    {%- if let Some(to) = to -%}{{ format::micros(to - from) }}{%- else -%}<span data-since="{{ from }}">{{ format::micros(now - from) }}</span>{%- endif -%}
    {%- endif -%}"##);
part!(Title { build: &'a BuildSummary } r##"{% if build.title.is_empty() %}{{ build.event }}{% else %}{{ build.title }}{% endif %}"##);
part!(Origin { build: &'a BuildSummary } r##"<span>{{ build.event }}</span>
    {%- if let Some(tag) = build.tag %} <span class="ref">{{ tag }}</span>{% else if let Some(branch) = build.branch %} <span class="ref">{{ branch }}</span>{% endif %}
    {%- if !build.commit.is_empty() %} <code title="{{ build.commit }}">{{ format::short(build.commit.as_str()) }}</code>{% endif %}"##);
part!(Chips { cell: &'a [AxisValue] } r##"{% for part in cell %}<span class="chip ax"><span>{{ part.axis }}</span> {{ part.value }}</span>{% endfor %}"##);
part!(Marks { marks: Vec<(Look, usize)>, words: String } r##"<span class="marks" role="img" aria-label="{{ words }}" title="{{ words }}">
    {%- for (look, count) in marks -%}<span class="{{ look.tone }}">{{ self::shape(look.icon) }}{{ count }}</span>{%- endfor -%}</span>"##);
part!(Post { frame: &'a Frame, action: String, label: &'a str, class: &'a str } r##"<form method="post" action="{{ action }}"><input type="hidden" name="csrf" value="{{ frame.csrf }}"><button{% if !class.is_empty() %} class="{{ class }}"{% endif %}>{{ label }}</button></form>"##);
part!(LaneLine { segments: &'a [Segment] } r##"<svg class="lane"{% if segments.is_empty() %} aria-hidden="true"{% else %} role="img" aria-label="{% for segment in segments %}{% if !loop.first %}, {% endif %}{{ segment.title }}{% endfor %}"{% endif %}><path class="base" d="M0 8h9999"/>
    {%- for segment in segments -%}<rect class="s-{{ segment.class }}" x="{{ segment.x }}%" width="{{ segment.width }}%" y="3" height="10" rx="1.5"><title>{{ segment.title }}</title></rect>{%- endfor -%}</svg>"##);
part!(Axis { ticks: &'a [Tick] } r##"<svg class="ticks" aria-hidden="true"><path class="base" d="M0 .5h9999"/>
    {%- for tick in ticks -%}<rect x="{{ tick.x }}%" width="1" height="5"/><text x="{{ tick.x }}%" dx="3" y="14">{{ tick.label }}</text>{%- endfor -%}</svg>"##);
part!(FailedOf { failed: usize, total: usize } r##"<small class="{% if failed > 0 %}fail{% else %}sub{% endif %} num">{{ failed }}/{{ total }} failed</small>"##);

part!(Prose { pieces: Vec<&'a str> } r##"{% for piece in pieces %}{% if loop.index0 % 2 == 1 %}<code>{{ piece }}</code>{% else %}{{ piece }}{% endif %}{% endfor %}"##);
part!(LogSize { log: &'a LogView } r##"{% if !log.errors.is_empty() %}<span class="fail num">✕{{ log.errors.len() }}<span class="vh"> errors</span></span>{% endif %}{% if log.lines > 0 %}<span class="sub num lines">{{ format::count(*log.lines, "line") }}</span>{% endif %}"##);

/// The shape alone; a word must stand beside it.
pub fn shape(icon: &str) -> Shape<'_> {
    Shape::new(icon)
}

/// Shape and word.
pub fn status<'a>(look: Look) -> Status<'a> {
    Status::new(look)
}

/// Shape, with the word for those who cannot see it and as a tooltip.
pub fn icon<'a>(look: Look) -> Icon<'a> {
    Icon::new(look)
}

/// The large shape of a page's head.
pub fn big<'a>(look: Look) -> Big<'a> {
    Big::new(look)
}

/// The word in its colour.
pub fn word<'a>(look: Look) -> Word<'a> {
    Word::new(look)
}

/// The word of a service's phase.
pub fn moment<'a>(phase: ServicePhase) -> Word<'a> {
    Word::new(look::service(Some(phase)))
}

/// What the window's title and icon become when the live part changes.
pub fn state<'a>(title: &'a str, icon: &'a str) -> State<'a> {
    State::new(title, icon)
}

/// "3 minutes ago", kept true by the browser.
pub fn ago<'a>(now: Micros, at: Micros) -> Ago<'a> {
    Ago::new(now, at)
}

/// A duration; while there is no end the browser counts on. Nothing before the begin.
pub fn took<'a>(from: Option<Micros>, to: Option<Micros>, now: Micros) -> Took<'a> {
    Took::new(from, to, now)
}

/// The commit's title, or the event.
pub fn title(build: &BuildSummary) -> Title<'_> {
    Title::new(build)
}

/// Event, branch or tag, commit.
pub fn origin(build: &BuildSummary) -> Origin<'_> {
    Origin::new(build)
}

/// A matrix cell as chips.
pub fn chips(cell: &[AxisValue]) -> Chips<'_> {
    Chips::new(cell)
}

/// How many jobs are in which state, as shapes with numbers.
pub fn marks<'a>(jobs: &[JobStatus]) -> Marks<'a> {
    let marks: Vec<(Look, usize)> = JobStatus::ALL
        .into_iter()
        .map(|status| (look::job(status), jobs.iter().filter(|job| **job == status).count()))
        .filter(|(_, count)| *count > 0)
        .collect();
    let words: Vec<String> = marks
        .iter()
        .map(|(look, count)| format!("{count} {}", look.word))
        .collect();
    Marks::new(marks, words.join(", "))
}

/// As [`marks`], of jobs.
pub fn tally<'a>(jobs: &[&JobRow]) -> Marks<'a> {
    let statuses: Vec<JobStatus> = jobs.iter().map(|job| job.status).collect();
    marks(&statuses)
}

/// How many tests ended how, as shapes with numbers.
pub fn test_counts<'a>(tests: &TestSection) -> Marks<'a> {
    let counts = [
        (TestState::Failed, tests.failed),
        (TestState::Flaky, tests.flaky),
        (TestState::Passed, tests.passed),
        (TestState::Skipped, tests.skipped),
    ];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    let marks: Vec<(Look, usize)> = counts
        .map(|(state, count)| (look::test(state), usize::try_from(count).unwrap_or(usize::MAX)))
        .collect();
    let words: Vec<String> = marks
        .iter()
        .map(|(look, count)| format!("{count} {}", look.word))
        .collect();
    Marks::new(marks, words.join(", "))
}

/// A button that posts.
pub fn post<'a>(frame: &'a Frame, action: impl Into<String>, label: &'a str) -> Post<'a> {
    Post::new(frame, action.into(), label, "")
}

/// The button that a page expects to be pressed.
pub fn post_main<'a>(frame: &'a Frame, action: impl Into<String>, label: &'a str) -> Post<'a> {
    Post::new(frame, action.into(), label, "main")
}

/// One lane of the time ruler.
pub fn lane(segments: &[Segment]) -> LaneLine<'_> {
    LaneLine::new(segments)
}

/// The axis of the time ruler.
pub fn axis(ticks: &[Tick]) -> Axis<'_> {
    Axis::new(ticks)
}

/// A sentence; what stands between backticks is code.
pub fn prose(text: &str) -> Prose<'_> {
    let is_paired = text.matches('`').count().is_multiple_of(2);
    Prose::new(if is_paired {
        text.split('`').collect()
    } else {
        vec![text]
    })
}

/// How much a stream has, and how many lines of it look like errors.
pub fn log_size(log: &LogView) -> LogSize<'_> {
    LogSize::new(log)
}

/// The first screen of a stream.
pub fn log<'a>(attempt: &'a AttemptView, view: &'a LogView, start: Micros, name: &'a str) -> Log<'a> {
    crate::log::log(attempt, view, start, name)
}

/// The lines of a failure card.
pub fn excerpt(failure: &Failure) -> Excerpt<'_> {
    crate::log::excerpt(failure)
}

/// `2/6 failed`, in the header of a row or column.
pub fn failed_of<'a>(head: &Head<'_>) -> FailedOf<'a> {
    FailedOf::new(head.failed, head.total)
}
