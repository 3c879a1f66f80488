//! Keys of the language, each described once: what it is called, what it takes, what it is for, and what reading it does.
//! A level of the file is read by going through its table, and the JSON Schema and the reference page are made from the
//! same entries, so that the three cannot differ. What a value looks like and how it is read stand together in a [`Kind`].

use crate::reader::{Reader, Slot};

/// The keys of one kind of map, which is read into a `T`.
pub(crate) struct Table<T: 'static> {
    /// What has these keys: `job`, `service`, …
    pub(crate) what: &'static str,
    /// One sentence for the reference and for editors.
    pub(crate) about: &'static str,
    /// The keys that are read.
    pub(crate) keys: &'static [Key<T>],
    /// Keys that people write here and that mean something else, or nothing.
    pub(crate) foreign: &'static [Answer],
    /// What any other key means.
    pub(crate) others: Others,
}

/// One key.
pub(crate) struct Key<T: 'static> {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) required: bool,
    pub(crate) value: &'static dyn Reads<T>,
}

/// A value that a key can have: what it looks like, and how it is read. `None`: it is wrong, which has been said, or is
/// not known yet.
pub(crate) struct Kind<V: 'static> {
    pub(crate) shape: Shape,
    pub(crate) read: fn(&mut Reader<'_>, Slot<'_>, &'static Shape) -> Option<V>,
}

/// What reading the value of a key does.
pub(crate) trait Reads<T>: Sync {
    /// What the value looks like.
    fn shape(&'static self) -> &'static Shape;
    /// Reads it into `made`.
    fn read(&'static self, reader: &mut Reader<'_>, slot: Slot<'_>, made: &mut T);
}

/// A value of this kind, and the function that puts it where it belongs.
pub(crate) type Set<T, V> = (Kind<V>, fn(&mut T, V));

impl<T, V> Reads<T> for Set<T, V> {
    fn shape(&'static self) -> &'static Shape {
        &self.0.shape
    }

    fn read(&'static self, reader: &mut Reader<'_>, slot: Slot<'_>, made: &mut T) {
        if let Some(value) = (self.0.read)(reader, slot, &self.0.shape) {
            (self.1)(made, value);
        }
    }
}

/// A value that must be of this kind and says nothing here.
impl<T, V> Reads<T> for Kind<V> {
    fn shape(&'static self) -> &'static Shape {
        &self.shape
    }

    fn read(&'static self, reader: &mut Reader<'_>, slot: Slot<'_>, _: &mut T) {
        (self.read)(reader, slot, &self.shape);
    }
}

/// A value whose reading depends on what has been read of the map before.
pub(crate) type With<T> = (Shape, fn(&mut Reader<'_>, Slot<'_>, &mut T));

impl<T> Reads<T> for With<T> {
    fn shape(&'static self) -> &'static Shape {
        &self.0
    }

    fn read(&'static self, reader: &mut Reader<'_>, slot: Slot<'_>, made: &mut T) {
        (self.1)(reader, slot, made);
    }
}

/// A table, whatever it is read into.
pub(crate) trait Level: Sync {
    /// What has the keys.
    fn what(&self) -> &'static str;
    /// What it is for.
    fn about(&self) -> &'static str;
    /// The key at this position of the table.
    fn at(&self, position: usize) -> Option<Described>;
    /// Keys of others.
    fn all_foreign(&self) -> &'static [Answer];
    /// What any other key means.
    fn others(&self) -> &Others;
}

/// A key as the schema and the reference page have it.
#[derive(Clone, Copy)]
pub(crate) struct Described {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) required: bool,
    pub(crate) shape: &'static Shape,
}

impl<T> Level for Table<T> {
    fn what(&self) -> &'static str {
        self.what
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn at(&self, position: usize) -> Option<Described> {
        let key = self.keys.get(position)?;
        Some(Described {
            name: key.name,
            about: key.about,
            required: key.required,
            shape: key.value.shape(),
        })
    }

    fn all_foreign(&self) -> &'static [Answer] {
        self.foreign
    }

    fn others(&self) -> &Others {
        &self.others
    }
}

/// Keys of a map that neither the schema nor a page shows: those of a Compose file.
pub(crate) struct Names {
    pub(crate) what: &'static str,
    pub(crate) names: &'static [&'static str],
    pub(crate) foreign: &'static [Answer],
    pub(crate) others: Others,
}

impl Level for Names {
    fn what(&self) -> &'static str {
        self.what
    }

    fn about(&self) -> &'static str {
        ""
    }

    fn at(&self, position: usize) -> Option<Described> {
        Some(Described {
            name: self.names.get(position)?,
            about: "",
            required: false,
            shape: &Shape::Text,
        })
    }

    fn all_foreign(&self) -> &'static [Answer] {
        self.foreign
    }

    fn others(&self) -> &Others {
        &self.others
    }
}

impl dyn Level {
    /// The keys, in the order of the table.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Described> + Clone {
        (0..).map_while(|position| self.at(position))
    }

    /// Whether a key is one of the table's.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.keys().any(|key| key.name == name)
    }

    /// What is known about a key that is not ours.
    pub(crate) fn foreign(&self, name: &str) -> Option<Foreign> {
        let snake = name.replace('-', "_");
        let is_meant = |answer: &&Answer| answer.keys.iter().any(|key| *key == name || *key == snake);
        self.all_foreign().iter().find(is_meant).map(|answer| answer.answer)
    }
}

/// What a key of another system gets as its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Foreign {
    /// It is called so here.
    Means(&'static str),
    /// It does not exist; this is what to do.
    Hint(&'static str),
    /// It belongs to the language and is not read yet.
    Later,
    /// Compose's, and refused, with the reason.
    Refused(&'static str),
    /// Compose's, and read over, with the reason.
    Ignored(&'static str),
}

/// The answer that some keys of other systems get.
pub(crate) struct Answer {
    pub(crate) keys: &'static [&'static str],
    pub(crate) answer: Foreign,
}

impl Foreign {
    /// Which keys get this answer.
    pub(crate) const fn answers(self, keys: &'static [&'static str]) -> Answer {
        Answer { keys, answer: self }
    }
}

/// Keys that a table does not name.
pub(crate) enum Others {
    /// None.
    Refused,
    /// Only `x-…`, for anchors.
    Extensions,
    /// Any name (the axes of a matrix).
    Taken(&'static Shape),
}

/// What a value must look like.
pub(crate) enum Shape {
    /// A text; `${{ }}` is substituted.
    Text,
    /// A text, a number or true/false, taken as it is written.
    Scalar,
    /// A script: a text without `${{ }}`.
    Script,
    /// A name that must be written out.
    Name,
    /// `true` or `false`.
    Flag,
    /// `on` or `off`, or `true` or `false`.
    Switch,
    /// A whole number in a range.
    Whole(i64, i64),
    /// A number above zero.
    Number,
    /// `10m`
    Duration,
    /// `512m`
    Size,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Nothing, or `{}`.
    Empty,
    /// A list.
    List(&'static Shape),
    /// One, or a list.
    OneOrMany(&'static Shape),
    /// A map from names to this.
    Map(&'static Shape),
    /// A map with these keys.
    Object(&'static dyn Level),
    /// One of several forms.
    AnyOf(&'static [Shape]),
}

/// A kind of value.
pub(crate) const fn kind<V>(shape: Shape, read: fn(&mut Reader<'_>, Slot<'_>, &'static Shape) -> Option<V>) -> Kind<V> {
    Kind { shape, read }
}

/// A key on its way into a table: `key("name").about("Its name.").set(&(TEXT, |made, name| made.name = name))`.
pub(crate) struct NewKey {
    name: &'static str,
    about: &'static str,
    required: bool,
}

/// A key that may be left out.
pub(crate) const fn key(name: &'static str) -> NewKey {
    NewKey {
        name,
        about: "",
        required: false,
    }
}

/// A key that must be there.
pub(crate) const fn required(name: &'static str) -> NewKey {
    NewKey {
        required: true,
        ..key(name)
    }
}

impl NewKey {
    /// What it is for.
    pub(crate) const fn about(self, about: &'static str) -> NewKey {
        NewKey { about, ..self }
    }

    /// Its value is of one kind, and is put where the function says.
    pub(crate) const fn set<T, V>(self, value: &'static Set<T, V>) -> Key<T> {
        self.reads(value)
    }

    /// The reading of its value depends on what has been read of the map before.
    pub(crate) const fn with<T>(self, value: &'static With<T>) -> Key<T> {
        self.reads(value)
    }

    /// Its value must be of one kind, and says nothing here.
    pub(crate) const fn read_over<T, V>(self, value: &'static Kind<V>) -> Key<T> {
        self.reads(value)
    }

    const fn reads<T>(self, value: &'static dyn Reads<T>) -> Key<T> {
        Key {
            name: self.name,
            about: self.about,
            required: self.required,
            value,
        }
    }
}
