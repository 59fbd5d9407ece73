//! The schema as data: which collections there are, their fields and what is special about each.
//!
//! Read whole ([`load`]) after every change and shared as a snapshot; the statements that change it are in `ddl.rs`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::query::{Query, Sort};
use super::relation::{Link, Relation, stored_relation};
use super::{Conn, FieldType, Sql, introspect, sql, system, system_relations};
use crate::error::{Error, ErrorCode, Result};

/// Every collection that items can be read from: those of the user and those of the system.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    collections: BTreeMap<String, Arc<Collection>>,
    /// By (collection, field) of the many side.
    relations: BTreeMap<(String, String), Arc<Relation>>,
    /// Tables that can't be served, and why not.
    unserved: BTreeMap<String, String>,
    /// By (collection, alias field) of the one side.
    lists: HashMap<(String, String), Arc<Relation>>,
}

impl Schema {
    /// The system collections alone.
    pub fn system() -> Self {
        let collections = system::collections().into_iter().map(|c| (c.name.clone(), Arc::new(c))).collect();
        let mut schema = Self { collections, ..Self::default() };
        for relation in system_relations::all() {
            schema.add_relation(relation);
        }
        schema
    }

    /// The system collections with these beside them: for tests and measurements of what needs no database.
    pub fn of(collections: impl IntoIterator<Item = Collection>, relations: impl IntoIterator<Item = Relation>) -> Self {
        let mut schema = Self::system();
        schema.collections.extend(collections.into_iter().map(|c| (c.name.clone(), Arc::new(c))));
        relations.into_iter().for_each(|relation| schema.add_relation(relation));
        schema
    }

    /// All relations, sorted by collection and field of their many side.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values()
    }

    /// The relation whose many side is this field.
    pub fn relation(&self, collection: &str, field: &str) -> Option<&Arc<Relation>> {
        self.relations.get(&(collection.to_owned(), field.to_owned()))
    }

    /// What the field of `collection` leads to, whichever side of a relation it is.
    pub fn link(&self, collection: &str, field: &str) -> Option<Link> {
        let here = (collection.to_owned(), field.to_owned());
        if let Some(relation) = self.relations.get(&here) {
            let relation = Arc::clone(relation);
            return Some(if relation.related.is_some() { Link::ManyToOne(relation) } else { Link::ManyToAny(relation) });
        }
        self.lists.get(&here).map(|relation| Link::OneToMany(Arc::clone(relation)))
    }

    fn add_relation(&mut self, relation: Relation) {
        let relation = Arc::new(relation);
        // A list without a field of that name can't be asked for.
        if let (Some(one), Some(field)) = (&relation.related, &relation.one_field)
            && self.collections.get(one).is_some_and(|collection| collection.alias(field).is_some())
        {
            self.lists.insert((one.clone(), field.clone()), Arc::clone(&relation));
        }
        // One side may list the same items under several names; the first is the relation's own.
        self.relations.entry((relation.collection.clone(), relation.field.clone())).or_insert(relation);
    }

    /// A relation that the database alone knows of: what is described comes first.
    fn add_foreign_key(&mut self, relation: Relation) {
        let target = relation.related.as_ref().and_then(|related| self.collections.get(related));
        let fits = target.is_some() && self.collections.get(&relation.collection).is_some_and(|c| c.field(&relation.field).is_some());
        if fits && self.relation(&relation.collection, &relation.field).is_none() {
            self.add_relation(relation);
        }
    }

    /// The tables of others that can't be served, with the reason, which completes "the table …".
    pub fn unserved(&self) -> impl Iterator<Item = (&str, &str)> {
        self.unserved.iter().map(|(name, why)| (name.as_str(), why.as_str()))
    }

    pub(super) fn add_table(&mut self, table: std::result::Result<Collection, (String, String)>) {
        match table {
            Ok(collection) => drop(self.collections.insert(collection.name.clone(), Arc::new(collection))),
            Err((name, why)) => drop(self.unserved.insert(name, why)),
        }
    }

    /// The names of all collections that relations lead to from here, at any distance.
    pub fn connected<'s>(&'s self, from: &'s str) -> Vec<&'s str> {
        let mut found = vec![from];
        let mut at = 0;
        while at < found.len() {
            let here = found[at];
            for relation in self.relations.values() {
                let ends = [Some(&relation.collection), relation.related.as_ref()].into_iter().flatten().chain(&relation.one_allowed);
                if ends.clone().any(|end| end == here) {
                    for end in ends {
                        if !found.contains(&end.as_str()) {
                            found.push(end);
                        }
                    }
                }
            }
            at += 1;
        }
        found.swap_remove(0);
        found
    }

    /// The collection of that name.
    pub fn collection(&self, name: &str) -> Option<&Arc<Collection>> {
        self.collections.get(name)
    }

    /// The names of all collections, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.collections.keys().map(String::as_str)
    }

    /// All collections, sorted by name.
    pub fn collections(&self) -> impl Iterator<Item = &Arc<Collection>> {
        self.collections.values()
    }
}

/// A table that items live in.
#[derive(Debug, Clone)]
pub struct Collection {
    /// Its name, also that of the table.
    pub name: String,
    /// Declared by the host, not by a user.
    pub system: bool,
    /// The host made its table, or declares it. The tables of others are served as they are.
    pub described: bool,
    /// Holds one item, read and written without a key.
    pub singleton: bool,
    /// What it is for.
    pub note: Option<String>,
    /// What else its maker sent.
    pub meta: Map<String, Value>,
    /// Where in `fields` the primary key is.
    pub primary: usize,
    /// The fields that are columns, in order.
    pub fields: Vec<Field>,
    /// The fields that have no column: lists of other items, and what is there for show.
    pub aliases: Vec<AliasField>,
}

impl Collection {
    /// The field without a column of that name.
    pub fn alias(&self, name: &str) -> Option<&AliasField> {
        self.aliases.iter().find(|alias| alias.name == name)
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// The field that tells items apart.
    pub fn primary_key(&self) -> &Field {
        &self.fields[self.primary]
    }

    /// The field of that name, or a 400 that names the nearest one.
    ///
    /// # Errors
    /// `code` (`InvalidQuery`, `InvalidPayload`) when there is none.
    pub fn known_field(&self, name: &str, code: ErrorCode) -> Result<&Field> {
        self.field(name).ok_or_else(|| {
            let hint = nearest(name, self.fields.iter().map(|f| f.name.as_str()));
            Error::new(code, format!("There is no field `{name}` in `{}`{hint}", self.name)).with_field(name)
        })
    }
}

/// The end of a message about a name that isn't there: the one that was probably meant, if any is near.
pub(super) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    // Nobody mistypes a name that is this long, and the distance takes time.
    let nearest = names.filter(|_| name.len() <= 128).map(|known| (strsim::damerau_levenshtein(known, name), known)).min();
    match nearest {
        Some((distance, near)) if distance <= 3.min(near.len() / 2) => format!("; did you mean `{near}`?"),
        _ => String::new(),
    }
}

/// A field without a column: the one side of a relation, or something that is there for show.
#[derive(Debug, Clone, PartialEq)]
pub struct AliasField {
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub special: Vec<Special>,
    /// What it is for.
    pub note: Option<String>,
    /// What else its maker sent.
    pub meta: Map<String, Value>,
    /// Its place among the fields.
    pub sort: i32,
}

/// A column of a collection.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name, also that of the column.
    pub name: String,
    /// The type.
    pub ty: FieldType,
    /// May be NULL.
    pub nullable: bool,
    /// No two items have the same value.
    pub unique: bool,
    /// Has an index.
    pub indexed: bool,
    /// The value of an item that is made without one; the database has it too.
    pub default: Option<Value>,
    /// The database numbers the items: a primary key of type integer or bigInteger.
    pub auto_increment: bool,
    /// What the host does with it by itself.
    pub special: Vec<Special>,
    /// What it is for.
    pub note: Option<String>,
    /// Characters at most; None: 255 for a string, no limit for text.
    pub max_length: Option<u32>,
    /// Callers must give a value on create.
    pub required: bool,
    /// A filter that a written item must match.
    pub validation: Option<Value>,
    /// What else its maker sent.
    pub meta: Map<String, Value>,
    /// Its place among the fields.
    pub sort: i32,
}

impl Field {
    /// A field that may be NULL and has nothing special.
    pub fn new(name: impl Into<String>, ty: FieldType) -> Self {
        Self {
            name: name.into(),
            ty,
            nullable: true,
            unique: false,
            indexed: false,
            default: None,
            auto_increment: false,
            special: Vec::new(),
            note: None,
            max_length: None,
            required: false,
            validation: None,
            meta: Map::new(),
            sort: 0,
        }
    }

    /// Whether the host does `special` with it.
    pub fn is(&self, special: Special) -> bool {
        self.special.contains(&special)
    }

    /// Characters that its text may have at most; None = no limit.
    pub fn length_limit(&self) -> Option<u32> {
        match self.ty {
            FieldType::String => Some(self.max_length.unwrap_or(255)),
            FieldType::Text => self.max_length,
            _ => None,
        }
    }

    /// The value to bind for this JSON: as its type encodes it, held to the length limit.
    ///
    /// # Errors
    /// A fragment that completes "`field` …".
    pub fn encode(&self, dialect: super::Dialect, value: &Value) -> Result<sea_query::Value, String> {
        if let (Some(limit), Value::String(text)) = (self.length_limit(), value) {
            let length = text.chars().count();
            if length > limit as usize {
                return Err(format!("must have at most {limit} characters, got: {length}"));
            }
        }
        self.ty.encode(dialect, value)
    }
}

/// Declares every special once.
macro_rules! specials {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal;)*) => {
        /// What the host does with a field by itself.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Special { $($(#[doc = $doc])* $variant,)* }

        impl Special {
            /// Every special, in the order of declaration.
            pub const ALL: &'static [Special] = &[$(Special::$variant,)*];

            /// The special of that name, as in a field's `meta.special`.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// The name, as in a field's `meta.special`.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

specials! {
    /// Gets a new UUID on create.
    Uuid = "uuid";
    /// Gets the time on create.
    DateCreated = "date-created";
    /// Gets the time on update.
    DateUpdated = "date-updated";
    /// Gets the caller on create.
    UserCreated = "user-created";
    /// Gets the caller on update.
    UserUpdated = "user-updated";
    /// Gets the caller's role on create.
    RoleCreated = "role-created";
    /// Is stored as a password hash.
    Hash = "hash";
    /// Is masked when read.
    Conceal = "conceal";
    /// Holds JSON.
    CastJson = "cast-json";
    /// Holds true or false.
    CastBoolean = "cast-boolean";
    /// Holds a list, stored with commas.
    CastCsv = "cast-csv";
    /// Holds a moment.
    CastTimestamp = "cast-timestamp";
    /// Refers to one item.
    ManyToOne = "m2o";
    /// Is referred to by items.
    OneToMany = "o2m";
    /// Refers to items through a junction.
    ManyToMany = "m2m";
    /// Refers to items of any collection.
    ManyToAny = "m2a";
    /// Refers to a file.
    File = "file";
    /// Refers to files.
    Files = "files";
    /// Has no column.
    NoData = "no-data";
    /// Has no column.
    Alias = "alias";
    /// Has no column: holds other fields together where a form is shown.
    Group = "group";
    /// Has no column: lists texts in other languages.
    Translations = "translations";
}

impl Special {
    /// Whether it is for fields without a column, and for those alone.
    pub fn is_alias(self) -> bool {
        use Special::{Alias, Files, Group, ManyToAny, ManyToMany, NoData, OneToMany, Translations};
        matches!(self, Alias | NoData | OneToMany | ManyToMany | ManyToAny | Files | Group | Translations)
    }
}

/// Reads the whole schema.
///
/// # Errors
/// What the database refuses; `Internal` when the stored schema makes no sense.
pub async fn load(conn: &mut Conn<'_>) -> Result<Schema> {
    let dialect = conn.dialect();
    let read = |table: &Collection, sort: &[&str]| -> Result<(Sql, Vec<FieldType>, Vec<String>)> {
        let names: Vec<&str> = table.fields.iter().map(|f| f.name.as_str()).collect();
        let sort = sort.iter().map(|f| Sort::up(*f)).collect();
        let statement = sql::select(dialect, table, &names, &Query { sort, ..Query::default() })?;
        Ok((Sql::build(dialect, &statement), sql::types(table, &names)?, names.into_iter().map(str::to_owned).collect()))
    };
    let mut schema = Schema::system();

    let mut fields: BTreeMap<String, (usize, Vec<Field>)> = BTreeMap::new();
    let mut aliases: HashMap<String, Vec<AliasField>> = HashMap::new();
    let (statement, types, names) = read(&system::fields_table(), &["sort", "field"])?;
    for row in conn.select(&statement, &types).await? {
        let mut row: Map<String, Value> = names.iter().cloned().zip(row).collect();
        if row.get("type").is_some_and(|ty| ty == ALIAS) {
            let collection = text(&mut row, "collection").unwrap_or_default();
            aliases.entry(collection).or_default().push(stored_alias(row));
            continue;
        }
        let (collection, field, primary) = stored_field(row)?;
        let entry = fields.entry(collection).or_default();
        if primary {
            entry.0 = entry.1.len();
        }
        entry.1.push(field);
    }
    let (statement, types, names) = read(&system::collections_table(), &[])?;
    for row in conn.select(&statement, &types).await? {
        let mut row: Map<String, Value> = names.iter().cloned().zip(row).collect();
        let name = text(&mut row, "collection").unwrap_or_default();
        let Some((primary, fields)) = fields.remove(&name).filter(|(_, fields)| !fields.is_empty()) else {
            return Err(Error::internal(format!("collection {name} is stored without fields")));
        };
        let collection = Collection {
            system: false,
            described: true,
            singleton: flag(&row, "singleton"),
            note: text(&mut row, "note"),
            meta: object(&mut row, "meta"),
            primary,
            fields,
            aliases: aliases.remove(&name).unwrap_or_default(),
            name,
        };
        schema.collections.insert(collection.name.clone(), Arc::new(collection));
    }
    let foreign_keys = introspect::tables_of_others(conn, &mut schema).await?;
    // Fields without a column may be added to collections of the system, and to the tables of others.
    for (name, added) in aliases {
        if let Some(collection) = schema.collections.get_mut(&name) {
            Arc::make_mut(collection).aliases.extend(added);
        }
    }
    let (statement, types, names) = read(&system::relations_table(), &["id"])?;
    for row in conn.select(&statement, &types).await? {
        schema.add_relation(stored_relation(names.iter().cloned().zip(row).collect())?);
    }
    for relation in foreign_keys {
        schema.add_foreign_key(relation);
    }
    Ok(schema)
}

/// The type of a field without a column, as it is stored and as callers write it.
pub const ALIAS: &str = "alias";

/// A field without a column as the row that stores it.
pub(super) fn alias_row(collection: &str, alias: &AliasField) -> Map<String, Value> {
    let shown = Field {
        special: alias.special.clone(),
        note: alias.note.clone(),
        meta: alias.meta.clone(),
        sort: alias.sort,
        ..Field::new(&alias.name, FieldType::String)
    };
    let mut row = field_row(collection, &shown, false);
    row.insert("type".to_owned(), Value::from(ALIAS));
    row
}

/// The other way.
fn stored_alias(mut row: Map<String, Value>) -> AliasField {
    let special = row.get("special").and_then(Value::as_array).into_iter().flatten();
    AliasField {
        special: special.filter_map(Value::as_str).filter_map(Special::parse).collect(),
        sort: row.get("sort").and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok()).unwrap_or_default(),
        name: text(&mut row, "field").unwrap_or_default(),
        note: text(&mut row, "note"),
        meta: object(&mut row, "meta"),
    }
}

/// A field as the row that stores it.
pub(super) fn field_row(collection: &str, field: &Field, primary: bool) -> Map<String, Value> {
    let (precision, scale) = match field.ty {
        FieldType::Decimal { precision, scale } => (Value::from(precision), Value::from(scale)),
        _ => (Value::Null, Value::Null),
    };
    let some =
        |value: Value| if value.as_object().is_some_and(Map::is_empty) || value == Value::Array(Vec::new()) { Value::Null } else { value };
    let cells = [
        ("collection", Value::from(collection)),
        ("field", Value::from(field.name.as_str())),
        ("type", Value::from(field.ty.name())),
        ("num_precision", precision),
        ("num_scale", scale),
        ("max_length", Value::from(field.max_length)),
        ("nullable", Value::from(field.nullable)),
        ("is_unique", Value::from(field.unique)),
        ("indexed", Value::from(field.indexed)),
        ("auto_increment", Value::from(field.auto_increment)),
        ("required", Value::from(field.required)),
        ("is_primary", Value::from(primary)),
        ("default_value", field.default.clone().unwrap_or(Value::Null)),
        ("special", some(field.special.iter().map(Special::name).collect())),
        ("validation", field.validation.clone().unwrap_or(Value::Null)),
        ("note", Value::from(field.note.clone())),
        ("meta", some(Value::Object(field.meta.clone()))),
        ("sort", Value::from(field.sort)),
    ];
    cells.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The other way: the collection, the field, and whether it is the primary key.
fn stored_field(mut row: Map<String, Value>) -> Result<(String, Field, bool)> {
    let collection = text(&mut row, "collection").unwrap_or_default();
    let name = text(&mut row, "field").unwrap_or_default();
    let small = |column: &str| row.get(column).and_then(Value::as_u64).and_then(|n| u8::try_from(n).ok());
    let ty = row.get("type").and_then(Value::as_str).and_then(|ty| FieldType::parse(ty, small("num_precision"), small("num_scale")));
    let ty = ty.ok_or_else(|| Error::internal(format!("field {name} of {collection} is stored with an unknown type")))?;
    let special = row.get("special").and_then(Value::as_array).into_iter().flatten();
    let field = Field {
        ty,
        nullable: flag(&row, "nullable"),
        unique: flag(&row, "is_unique"),
        indexed: flag(&row, "indexed"),
        auto_increment: flag(&row, "auto_increment"),
        required: flag(&row, "required"),
        special: special.filter_map(Value::as_str).filter_map(Special::parse).collect(),
        max_length: row.get("max_length").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()),
        sort: row.get("sort").and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok()).unwrap_or_default(),
        default: row.remove("default_value").filter(|v| !v.is_null()),
        validation: row.remove("validation").filter(|v| !v.is_null()),
        note: text(&mut row, "note"),
        meta: object(&mut row, "meta"),
        name,
    };
    Ok((collection, field, flag(&row, "is_primary")))
}

fn text(row: &mut Map<String, Value>, column: &str) -> Option<String> {
    match row.remove(column) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn flag(row: &Map<String, Value>, column: &str) -> bool {
    row.get(column).and_then(Value::as_bool).unwrap_or_default()
}

fn object(row: &mut Map<String, Value>, column: &str) -> Map<String, Value> {
    match row.remove(column) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
