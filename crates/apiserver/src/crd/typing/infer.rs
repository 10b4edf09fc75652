//! The types of the parts of an expression, and what does not fit.

use objects::Value;

use super::syntax::{Node, Part};

/// A type; `Dyn` fits everywhere.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind<'a> {
    Dyn,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Null,
    Timestamp,
    Duration,
    List(Box<Kind<'a>>),
    Map(Box<Kind<'a>>, Box<Kind<'a>>),
    /// An object with the properties of a schema; those of every resource too where the flag is set.
    Object(&'a Value, bool),
}

/// Returns the type of the values of a schema.
pub fn kind_of(schema: &Value, resource: bool) -> Kind<'_> {
    let flag = |key: &str| schema.get(key) == Some(&Value::Bool(true));
    if flag("x-kubernetes-int-or-string") {
        return Kind::Dyn;
    }
    let text = |key: &str| schema.get(key).and_then(Value::as_str).unwrap_or("");
    match text("type") {
        "boolean" => Kind::Bool,
        "integer" => Kind::Int,
        "number" => Kind::Double,
        "string" => match text("format") {
            "byte" => Kind::Bytes,
            "duration" => Kind::Duration,
            "date" | "date-time" => Kind::Timestamp,
            _ => Kind::Text,
        },
        "array" => {
            let element = schema.get("items").map_or(Kind::Dyn, |i| kind_of(i, false));
            Kind::List(Box::new(element))
        }
        "object" => match schema.get("additionalProperties") {
            Some(more) if more.is_object() => {
                Kind::Map(Box::new(Kind::Text), Box::new(kind_of(more, false)))
            }
            Some(Value::Bool(true)) => Kind::Map(Box::new(Kind::Text), Box::new(Kind::Dyn)),
            _ => Kind::Object(schema, resource || flag("x-kubernetes-embedded-resource")),
        },
        _ => Kind::Dyn,
    }
}

impl Kind<'_> {
    /// Writes a type as errors do; `None` for objects, whose names are made up inside of upstream.
    pub fn name(&self) -> Option<String> {
        Some(match self {
            Self::Dyn => "dyn".into(),
            Self::Bool => "bool".into(),
            Self::Int => "int".into(),
            Self::Uint => "uint".into(),
            Self::Double => "double".into(),
            Self::Text => "string".into(),
            Self::Bytes => "bytes".into(),
            Self::Null => "null".into(),
            Self::Timestamp => "timestamp".into(),
            Self::Duration => "duration".into(),
            Self::List(element) => format!("list({})", element.name()?),
            Self::Map(key, value) => format!("map({}, {})", key.name()?, value.name()?),
            Self::Object(..) => return None,
        })
    }

    /// Tells whether two types may be the same.
    fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::List(a), Self::List(b)) => a.fits(b),
            (Self::Map(a, b), Self::Map(c, d)) => a.fits(c) && b.fits(d),
            // Objects may be null, and whether two are alike is not known here.
            (Self::Object(..), Self::Object(..) | Self::Null | Self::Map(..))
            | (Self::Null | Self::Map(..), Self::Object(..)) => true,
            (a, b) => a == b,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }
}

/// Variables that are known at a place, and the faults found so far.
pub struct Scope<'a> {
    variables: Vec<(String, Kind<'a>)>,
    /// Offset and text of each fault.
    pub faults: Vec<(usize, String)>,
}

/// Functions and methods of cel-go and of the Kubernetes libraries.
const FUNCTIONS: &[&str] = &[
    "abs",
    "add",
    "all",
    "allowed",
    "annotations",
    "appendIfMissing",
    "asApproximateFloat",
    "asInteger",
    "base64",
    "bool",
    "bytes",
    "ceil",
    "charAt",
    "check",
    "cidr",
    "compareTo",
    "contains",
    "containsCIDR",
    "containsIP",
    "distinct",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "errored",
    "error",
    "exists",
    "existsOne",
    "exists_one",
    "family",
    "filter",
    "find",
    "findAll",
    "first",
    "flatten",
    "floor",
    "format",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getEscapedPath",
    "getFullYear",
    "getHost",
    "getHostname",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getPort",
    "getQuery",
    "getScheme",
    "getSeconds",
    "group",
    "has",
    "hasValue",
    "includes",
    "indexOf",
    "int",
    "ip",
    "isCIDR",
    "isCanonical",
    "isGlobalUnicast",
    "isGreaterThan",
    "isInteger",
    "isIP",
    "isLessThan",
    "isLinkLocalMulticast",
    "isLinkLocalUnicast",
    "isLoopback",
    "isQuantity",
    "isSemver",
    "isSorted",
    "isURL",
    "isUnspecified",
    "join",
    "last",
    "lastIndexOf",
    "lowerAscii",
    "major",
    "map",
    "masked",
    "matches",
    "max",
    "min",
    "minor",
    "name",
    "namespace",
    "none",
    "of",
    "ofNonZeroValue",
    "optFlatMap",
    "optMap",
    "or",
    "orValue",
    "patch",
    "path",
    "prefixLength",
    "quantity",
    "quote",
    "reason",
    "replace",
    "resource",
    "reverse",
    "round",
    "semver",
    "serviceAccount",
    "sets",
    "sign",
    "size",
    "slice",
    "sort",
    "sortBy",
    "split",
    "startsWith",
    "string",
    "sub",
    "subresource",
    "substring",
    "sum",
    "timestamp",
    "transformList",
    "transformMap",
    "transformMapEntry",
    "trim",
    "trunc",
    "type",
    "uint",
    "unquote",
    "unwrap",
    "unwrapOpt",
    "upperAscii",
    "url",
    "validate",
    "value",
    "equivalent",
    "intersects",
    "decode",
    "encode",
    "bind",
    "named",
    "dns1123Label",
    "dns1123Subdomain",
    "dns1035Label",
    "qualifiedName",
    "dns1123LabelPrefix",
    "dns1123SubdomainPrefix",
    "dns1035LabelPrefix",
    "labelValue",
    "uri",
    "uuid",
    "byte",
    "date",
    "datetime",
    "fieldSelector",
    "labelSelector",
    "isNaN",
    "isInf",
    "isFinite",
    "bitAnd",
    "bitOr",
    "bitXor",
    "bitNot",
    "bitShiftLeft",
    "bitShiftRight",
    "greatest",
    "least",
    "sqrt",
    "range",
    "lists",
    "strings",
    "math",
    "requestResource",
];

/// Names that are no variables but types or namespaces of functions.
const WORDS: &[&str] = &[
    "bool",
    "bytes",
    "cel",
    "double",
    "duration",
    "google",
    "int",
    "kubernetes",
    "list",
    "map",
    "math",
    "null_type",
    "optional",
    "sets",
    "strings",
    "lists",
    "base64",
    "format",
    "jsonpatch",
    "string",
    "timestamp",
    "type",
    "uint",
    "net",
    "dyn",
    "optional_type",
];

impl<'a> Scope<'a> {
    /// Starts with the variables of a rule.
    pub fn new(variables: Vec<(String, Kind<'a>)>) -> Self {
        Self {
            variables,
            faults: Vec::new(),
        }
    }

    fn fault<const N: usize>(&mut self, at: usize, function: &str, kinds: [&Kind<'a>; N]) {
        let names: Option<Vec<String>> = kinds.iter().map(|kind| kind.name()).collect();
        if let Some(names) = names {
            let why = format!(
                "found no matching overload for '{function}' applied to '({})'",
                names.join(", ")
            );
            self.faults.push((at, why));
        }
    }

    /// Returns the type of a part, and notes what does not fit.
    pub fn infer(&mut self, node: &Node) -> Kind<'a> {
        match &node.part {
            Part::Null => Kind::Null,
            Part::Bool => Kind::Bool,
            Part::Int => Kind::Int,
            Part::Uint => Kind::Uint,
            Part::Double => Kind::Double,
            Part::Text => Kind::Text,
            Part::Bytes => Kind::Bytes,
            Part::Message => Kind::Dyn,
            Part::Name(name) => self.name(node.at, name),
            Part::List(items) => self.list(items),
            Part::Map(entries) => self.map(entries),
            Part::Select(operand, field, optional) => {
                let kind = self.select(node.at, operand, field);
                if *optional { Kind::Dyn } else { kind }
            }
            Part::Index(operand, index) => self.index(node.at, operand, index),
            Part::Call(target, name, arguments) => {
                self.call(node.at, target.as_deref(), name, arguments)
            }
            Part::Unary(sign, operand) => self.unary(node.at, sign, operand),
            Part::Binary(sign, left, right) => self.binary(node.at, sign, left, right),
            Part::Choice(condition, left, right) => {
                let condition = self.infer(condition);
                let (left, right) = (self.infer(left), self.infer(right));
                if !condition.fits(&Kind::Bool) || !left.fits(&right) {
                    self.fault(node.at, "_?_:_", [&condition, &left, &right]);
                    return Kind::Dyn;
                }
                if left == Kind::Dyn { right } else { left }
            }
        }
    }

    fn name(&mut self, at: usize, name: &str) -> Kind<'a> {
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        if let Some((_, kind)) = found {
            return kind.clone();
        }
        if !WORDS.contains(&name) {
            let why = format!("undeclared reference to '{name}' (in container '')");
            self.faults.push((at, why));
        }
        Kind::Dyn
    }

    fn list(&mut self, items: &[Node]) -> Kind<'a> {
        let mut kind = Kind::Dyn;
        for item in items {
            let own = self.infer(item);
            self.same(&mut kind, own, item.at);
        }
        Kind::List(Box::new(kind))
    }

    fn map(&mut self, entries: &[(Node, Node)]) -> Kind<'a> {
        let (mut keys, mut values) = (Kind::Dyn, Kind::Dyn);
        for (key, value) in entries {
            let own = self.infer(key);
            self.same(&mut keys, own, key.at);
            let own = self.infer(value);
            self.same(&mut values, own, value.at);
        }
        Kind::Map(Box::new(keys), Box::new(values))
    }

    /// Literals hold values of one type.
    fn same(&mut self, all: &mut Kind<'a>, own: Kind<'a>, at: usize) {
        if *all == Kind::Dyn {
            *all = own;
        } else if !all.fits(&own)
            && let (Some(all), Some(own)) = (all.name(), own.name())
        {
            let why = format!("expected type '{all}' but found '{own}'");
            self.faults.push((at, why));
        }
    }

    fn select(&mut self, at: usize, operand: &Node, field: &str) -> Kind<'a> {
        match self.infer(operand) {
            Kind::Dyn => Kind::Dyn,
            Kind::Map(_, value) => *value,
            Kind::Object(schema, resource) => match property(schema, resource, field) {
                Some(kind) => kind,
                None => {
                    self.faults.push((at, format!("undefined field '{field}'")));
                    Kind::Dyn
                }
            },
            other => {
                if let Some(name) = other.name() {
                    let why = format!("type '{name}' does not support field selection");
                    self.faults.push((at, why));
                }
                Kind::Dyn
            }
        }
    }

    fn index(&mut self, at: usize, operand: &Node, index: &Node) -> Kind<'a> {
        let (operand, index) = (self.infer(operand), self.infer(index));
        match (&operand, &index) {
            (Kind::List(element), Kind::Int | Kind::Dyn | Kind::Double | Kind::Uint) => {
                (**element).clone()
            }
            (Kind::Map(key, value), index) if key.fits(index) => (**value).clone(),
            (Kind::Dyn | Kind::Object(..), _) => Kind::Dyn,
            _ => {
                self.fault(at, "_[_]", [&operand, &index]);
                Kind::Dyn
            }
        }
    }

    fn unary(&mut self, at: usize, sign: &str, operand: &Node) -> Kind<'a> {
        let kind = self.infer(operand);
        let (function, fits) = match sign {
            "!" => ("!_", kind.fits(&Kind::Bool)),
            _ => ("-_", matches!(kind, Kind::Dyn | Kind::Int | Kind::Double)),
        };
        if !fits {
            self.fault(at, function, [&kind]);
            return Kind::Dyn;
        }
        if sign == "!" { Kind::Bool } else { kind }
    }

    fn binary(&mut self, at: usize, sign: &str, left: &Node, right: &Node) -> Kind<'a> {
        let (left_at, right_at) = (left.at, right.at);
        let (left, right) = (self.infer(left), self.infer(right));
        if matches!(sign, "&&" | "||") {
            for (at, kind) in [(left_at, &left), (right_at, &right)] {
                if !kind.fits(&Kind::Bool)
                    && let Some(name) = kind.name()
                {
                    let why = format!("expected type 'bool' but found '{name}'");
                    self.faults.push((at, why));
                }
            }
            return Kind::Bool;
        }
        let outcome = match sign {
            "==" | "!=" => left.fits(&right).then_some(Kind::Bool),
            "<" | "<=" | ">" | ">=" => ordered(&left, &right).then_some(Kind::Bool),
            "in" => member(&left, &right).then_some(Kind::Bool),
            _ => arithmetic(sign, &left, &right),
        };
        outcome.unwrap_or_else(|| {
            let function = match sign {
                "in" => "@in".to_owned(),
                sign => format!("_{sign}_"),
            };
            self.fault(at, &function, [&left, &right]);
            Kind::Dyn
        })
    }

    fn call(
        &mut self,
        at: usize,
        target: Option<&Node>,
        name: &str,
        arguments: &[Node],
    ) -> Kind<'a> {
        if target.is_none() && name == "has" {
            if let [
                Node {
                    part: Part::Select(operand, field, _),
                    ..
                },
            ] = arguments
            {
                self.select(at, operand, field);
            }
            return Kind::Bool;
        }
        if let Some(target) = target
            && let Some(kind) = self.macros(target, name, arguments)
        {
            return kind;
        }
        // `optional.of(x)`, `sets.contains(a, b)`: the target is no value.
        let namespaced =
            target.is_some_and(|t| matches!(&t.part, Part::Name(n) if WORDS.contains(&n.as_str())));
        let own = match target {
            Some(target) if !namespaced => self.infer(target),
            _ => Kind::Dyn,
        };
        let kinds: Vec<Kind<'a>> = arguments.iter().map(|a| self.infer(a)).collect();
        if !FUNCTIONS.contains(&name) {
            let why = format!("undeclared reference to '{name}' (in container '')");
            self.faults.push((at, why));
            return Kind::Dyn;
        }
        outcome(name, &own, &kinds)
    }

    /// Infers the macros over lists and maps, which bring a variable; `None` for other calls.
    fn macros(&mut self, target: &Node, name: &str, arguments: &[Node]) -> Option<Kind<'a>> {
        let known = matches!(
            name,
            "all" | "exists" | "exists_one" | "existsOne" | "filter" | "map"
        );
        let [
            Node {
                part: Part::Name(variable),
                ..
            },
            rest @ ..,
        ] = arguments
        else {
            return None;
        };
        // Forms with two variables, and those of newer libraries, are not looked into.
        if !known || rest.is_empty() || rest.len() > 1 + usize::from(name == "map") {
            if matches!(
                name,
                "all"
                    | "exists"
                    | "existsOne"
                    | "transformList"
                    | "transformMap"
                    | "transformMapEntry"
                    | "optMap"
                    | "optFlatMap"
                    | "bind"
                    | "sortBy"
            ) {
                self.infer(target);
                return Some(Kind::Dyn);
            }
            return None;
        }
        let range = self.infer(target);
        let element = match &range {
            Kind::List(element) => (**element).clone(),
            Kind::Map(key, _) => (**key).clone(),
            _ => Kind::Dyn,
        };
        self.variables.push((variable.clone(), element.clone()));
        let kinds: Vec<Kind<'a>> = rest.iter().map(|part| self.infer(part)).collect();
        self.variables.pop();
        let last = kinds.last().cloned().unwrap_or(Kind::Dyn);
        Some(match name {
            "map" => Kind::List(Box::new(last)),
            "filter" => Kind::List(Box::new(element)),
            _ => Kind::Bool,
        })
    }
}

/// Finds a property by its name in an expression, escaped or not.
fn property<'a>(schema: &'a Value, resource: bool, field: &str) -> Option<Kind<'a>> {
    if resource {
        match field {
            "apiVersion" | "kind" => return Some(Kind::Text),
            "metadata" => return Some(Kind::Object(metadata(), false)),
            _ => {}
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object)?;
    let found = properties
        .get(field)
        .filter(|_| !field.contains('-'))
        .or_else(|| {
            properties
                .iter()
                .find(|(name, _)| escaped(name) == field)
                .map(|(_, property)| property)
        })?;
    Some(kind_of(found, false))
}

/// What rules see of an object's metadata.
fn metadata() -> &'static Value {
    static METADATA: std::sync::LazyLock<Value> = std::sync::LazyLock::new(
        || objects::json!({"type": "object", "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}}}),
    );
    &METADATA
}

/// Escapes a property's name as Kubernetes does.
pub fn escaped(name: &str) -> String {
    const RESERVED: [&str; 18] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
    ];
    if RESERVED.contains(&name) || matches!(name, "var" | "void" | "while") {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__")
}

fn ordered(left: &Kind<'_>, right: &Kind<'_>) -> bool {
    match (left, right) {
        (Kind::Dyn, _) | (_, Kind::Dyn) => true,
        (left, right) if left.is_number() && right.is_number() => true,
        (left, right) => {
            left == right
                && matches!(
                    left,
                    Kind::Bool | Kind::Text | Kind::Bytes | Kind::Timestamp | Kind::Duration
                )
        }
    }
}

fn member(left: &Kind<'_>, right: &Kind<'_>) -> bool {
    match right {
        Kind::Dyn => true,
        Kind::List(element) => left.fits(element),
        Kind::Map(key, _) => left.fits(key),
        _ => false,
    }
}

fn arithmetic<'a>(sign: &str, left: &Kind<'a>, right: &Kind<'a>) -> Option<Kind<'a>> {
    if *left == Kind::Dyn || *right == Kind::Dyn {
        return Some(Kind::Dyn);
    }
    match (sign, left, right) {
        ("%", Kind::Int, Kind::Int) | ("%", Kind::Uint, Kind::Uint) => Some(left.clone()),
        ("%", ..) => None,
        (_, left, right) if left == right && left.is_number() => Some(left.clone()),
        ("+", Kind::Text, Kind::Text) | ("+", Kind::Bytes, Kind::Bytes) => Some(left.clone()),
        ("+", Kind::List(a), Kind::List(b)) if a.fits(b) => Some(if **a == Kind::Dyn {
            right.clone()
        } else {
            left.clone()
        }),
        ("+" | "-", Kind::Duration, Kind::Duration) => Some(Kind::Duration),
        ("+" | "-", Kind::Timestamp, Kind::Duration) | ("+", Kind::Duration, Kind::Timestamp) => {
            Some(Kind::Timestamp)
        }
        ("-", Kind::Timestamp, Kind::Timestamp) => Some(Kind::Duration),
        _ => None,
    }
}

/// The types that functions give, where they are always the same.
fn outcome<'a>(name: &str, own: &Kind<'a>, arguments: &[Kind<'a>]) -> Kind<'a> {
    match name {
        "size" | "int" | "indexOf" | "lastIndexOf" | "getFullYear" | "getMonth"
        | "getDayOfMonth" | "getDate" | "getDayOfWeek" | "getDayOfYear" | "asInteger"
        | "compareTo" | "prefixLength" => Kind::Int,
        "getHours" | "getMinutes" | "getSeconds" | "getMilliseconds" => Kind::Int,
        "double" | "asApproximateFloat" => Kind::Double,
        "uint" => Kind::Uint,
        "bytes" => Kind::Bytes,
        "bool" | "startsWith" | "endsWith" | "matches" | "isSorted" | "isURL" | "isQuantity"
        | "isIP" | "isCIDR" | "isSemver" | "isGreaterThan" | "isLessThan" | "containsIP"
        | "containsCIDR" | "hasValue" | "contains" | "intersects" | "equivalent" | "isInteger" => {
            Kind::Bool
        }
        "string" | "lowerAscii" | "upperAscii" | "trim" | "replace" | "substring" | "charAt"
        | "join" | "find" | "getScheme" | "getHost" | "getHostname" | "getPort"
        | "getEscapedPath" => Kind::Text,
        "split" | "findAll" => Kind::List(Box::new(Kind::Text)),
        "timestamp" => Kind::Timestamp,
        "duration" => Kind::Duration,
        "sum" | "min" | "max" => match own {
            Kind::List(element) if arguments.is_empty() => (**element).clone(),
            _ => Kind::Dyn,
        },
        _ => Kind::Dyn,
    }
}
