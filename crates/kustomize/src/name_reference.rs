//! Name references: fields that hold the name of another object follow its renaming.
//!
//! Runs once, over the whole build. Candidates are found by their former names through an index.

use std::cell::RefCell;
use std::collections::HashMap;

use kyaml::{Node, NodeValue, Text};
use smallvec::SmallVec;

use crate::config::Config;
use crate::error::{BuildError, Result, fail};
use crate::id::{Gvk, ResId};
use crate::node::fieldspec::Spec;
use crate::node::lookup::field;
use crate::node::set::{set_field, set_scalar};
use crate::node::{Kind, is_null, kind, text};
use crate::openapi::Schemas;
use crate::packed::Packed;
use crate::places::Places;
use crate::resmap::ResMap;
use crate::resource::{FormerId, Resource};

/// One field of referrers, and the kind it refers to.
struct Rule {
    spec: Spec,
    referral: Gvk,
    is_role_ref: bool,
}

/// What is known of an object that others may refer to.
struct Candidate {
    place: usize,
    id: ResId,
    original_namespace: Text,
    /// Namespace as written.
    namespace: Text,
    former: SmallVec<[FormerId; 2]>,
    prefixes: SmallVec<[Text; 2]>,
    suffixes: SmallVec<[Text; 2]>,
}

/// Where the objects are that others may refer to; each is unpacked when a name leads to it.
struct Candidates {
    /// By every former name.
    by_name: Places,
    by_original_namespace: HashMap<Text, Vec<u32>>,
}

/// What is known of the object whose fields are looked at.
struct Referrer {
    id: ResId,
    prefixes: SmallVec<[Text; 2]>,
    suffixes: SmallVec<[Text; 2]>,
    /// Namespaces of the service accounts that a role binding names.
    binding_namespaces: Vec<Text>,
    role_ref: Option<Gvk>,
}

/// Updates every name reference.
pub(crate) fn fix(objects: &mut ResMap, config: &Config, schemas: &Schemas) -> Result<()> {
    let candidates = Candidates::of(objects.list(), schemas);
    let rules = Rules::of(config);
    for index in 0..objects.len() {
        let original = original_gvk(&objects.list()[index]);
        let own = rules.of_kind(&original.kind);
        let fitting: Vec<&Rule> = own
            .filter(|rule| original.is_selected(&rule.spec.spec.gvk()))
            .collect();
        if fitting.is_empty() {
            continue;
        }
        let mut resource = objects.get(index);
        let referrer = Referrer::of(&resource, schemas)?;
        let search = Search {
            candidates: &candidates,
            list: objects.list(),
            schemas,
            referrer: &referrer,
            undecided: RefCell::new(Vec::new()),
        };
        let outcome = search.update(&mut resource.node, &fitting);
        let undecided = search.undecided.into_inner();
        objects.put(index, &resource);
        outcome.map_err(|error| explained(error, &undecided, objects, index))?;
    }
    Ok(())
}

fn original_gvk(packed: &Packed) -> Gvk {
    let former = packed.former_ids().into_iter().next();
    former.map_or_else(|| packed.identity().gvk(), |id| id.gvk)
}

struct Rules {
    list: Vec<Rule>,
    by_kind: HashMap<Text, Vec<usize>>,
    any_kind: Vec<usize>,
}

impl Rules {
    fn of(config: &Config) -> Self {
        let mut rules = Self {
            list: Vec::new(),
            by_kind: HashMap::new(),
            any_kind: Vec::new(),
        };
        for target in &config.name_reference {
            for spec in &target.referrers {
                let index = rules.list.len();
                rules.list.push(Rule {
                    spec: Spec::new(spec),
                    referral: target.gvk(),
                    is_role_ref: spec.path.ends_with("roleRef/name"),
                });
                if spec.kind.is_empty() {
                    rules.any_kind.push(index);
                } else {
                    rules
                        .by_kind
                        .entry(spec.kind.clone())
                        .or_default()
                        .push(index);
                }
            }
        }
        rules
    }

    /// Returns the rules for a kind in their order.
    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Rule> {
        let own = self
            .by_kind
            .get(kind)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut places: Vec<usize> = own.iter().chain(&self.any_kind).copied().collect();
        if !self.any_kind.is_empty() {
            places.sort_unstable();
        }
        places.into_iter().map(|index| &self.list[index])
    }
}

impl Candidates {
    fn of(list: &[Packed], schemas: &Schemas) -> Self {
        let mut candidates = Self {
            by_name: Places::default(),
            by_original_namespace: HashMap::new(),
        };
        let names = list.iter().map(Packed::former_count).sum();
        candidates.by_name.reserve(names);
        for (place, packed) in list.iter().enumerate() {
            let former = packed.former_ids();
            let names = &mut candidates.by_name;
            for id in &former {
                names.insert(names.hash(id.name.as_str()), place);
            }
            let namespace = original_namespace(packed, former.first(), schemas);
            let there = &mut candidates.by_original_namespace;
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            there.entry(namespace).or_default().push(place);
        }
        candidates
    }
}

fn original_namespace(packed: &Packed, oldest: Option<&ResId>, schemas: &Schemas) -> Text {
    match oldest {
        Some(id) => id.effective_namespace().into(),
        None => packed.identity().effective_namespace(schemas).into(),
    }
}

impl Candidate {
    fn at(place: usize, list: &[Packed], schemas: &Schemas) -> Self {
        let packed = &list[place];
        let identity = packed.identity();
        let notes = packed.notes();
        let oldest = packed.former_ids().into_iter().next();
        Self {
            place,
            id: identity.id(schemas),
            original_namespace: original_namespace(packed, oldest.as_ref(), schemas),
            namespace: identity.namespace.into(),
            former: notes.former,
            prefixes: notes.prefixes,
            suffixes: notes.suffixes,
        }
    }

    fn was_called(&self, name: &str) -> bool {
        self.former.iter().any(|former| former.name == name)
    }

    fn was_of_kind(&self, gvk: &Gvk) -> bool {
        let own = &self.id.gvk;
        let agrees = |want: &str, have: &str| want.is_empty() || want == have;
        agrees(&gvk.group, &own.group)
            && agrees(&gvk.version, &own.version)
            && self.former.iter().any(|f| agrees(&gvk.kind, &f.kind))
    }
}

impl Referrer {
    fn of(resource: &Resource, schemas: &Schemas) -> Result<Self> {
        let id = resource.current_id(schemas);
        Ok(Self {
            binding_namespaces: binding_namespaces(resource, &id)?,
            role_ref: role_ref(resource),
            prefixes: resource.notes.prefixes.clone(),
            suffixes: resource.notes.suffixes.clone(),
            id,
        })
    }

    /// Tells whether the recorded prefixes and suffixes agree with a candidate's.
    fn affixes_agree(&self, candidate: &Candidate, allow_empty: bool) -> bool {
        let agree = |left: &[Text], right: &[Text]| {
            (allow_empty && (left.is_empty() || right.is_empty())) || same_ending(left, right)
        };
        agree(&candidate.prefixes, &self.prefixes) && agree(&candidate.suffixes, &self.suffixes)
    }
}

fn same_ending(left: &[Text], right: &[Text]) -> bool {
    let (short, long) = if left.len() > right.len() {
        (right, left)
    } else {
        (left, right)
    };
    if short.is_empty() {
        return long.is_empty();
    }
    long.ends_with(short)
}

fn binding_namespaces(resource: &Resource, id: &ResId) -> Result<Vec<Text>> {
    let mut namespaces = Vec::new();
    if resource.kind() != "RoleBinding" || id.cluster_scoped {
        return Ok(namespaces);
    }
    let subjects = resource.at(&["subjects"]).and_then(Node::items);
    for subject in subjects.unwrap_or_default() {
        let is_account = subject
            .get("kind")
            .is_some_and(|kind| text(kind) == "ServiceAccount");
        let Some(namespace) = subject.get("namespace").filter(|_| is_account) else {
            continue;
        };
        match kyaml::resolve(namespace, kyaml::Dialect::V3) {
            Ok(kyaml::Resolved::String(text)) => namespaces.push(text.as_ref().into()),
            _ => fail!(
                "Invalid Input: namespace is blank for resource {:?}\n",
                id.to_string()
            ),
        }
    }
    Ok(namespaces)
}

fn role_ref(resource: &Resource) -> Option<Gvk> {
    let role_ref = resource.at(&["roleRef"])?;
    let part = |name: &str| role_ref.get(name).map(text);
    Some(Gvk::new(part("apiGroup")?, "", part("kind")?))
}

/// A search for the referrals of one object.
struct Search<'a> {
    candidates: &'a Candidates,
    list: &'a [Packed],
    schemas: &'a Schemas,
    referrer: &'a Referrer,
    /// Places of the candidates left when a search was not decided.
    undecided: RefCell<Vec<usize>>,
}

impl Search<'_> {
    fn update(&self, node: &mut Node, rules: &[&Rule]) -> Result<()> {
        for rule in rules {
            // The rule was chosen by the original kind; the field is looked for whatever the kind is now.
            let gvk = rule.spec.spec.gvk();
            let visited = rule
                .spec
                .visit(node, &gvk, None, &mut |field| self.set(rule, field));
            visited.map_err(|error| {
                error.wrap(format!(
                    "updating name reference in '{}' field of '{}'",
                    rule.spec.spec.path, self.referrer.id
                ))
            })?;
        }
        Ok(())
    }

    fn set(&self, rule: &Rule, node: &mut Node) -> Result<()> {
        if is_null(node) {
            return Ok(());
        }
        match &mut node.value {
            NodeValue::Sequence(items) => items.iter_mut().try_for_each(|item| {
                if is_null(item) {
                    return Ok(());
                }
                match kind(item) {
                    Kind::Scalar => self.scalar(rule, item),
                    Kind::Mapping => self.mapping(rule, item),
                    Kind::Sequence => {
                        fail!("list is expected to be either a string or a map of string")
                    }
                }
            }),
            NodeValue::Mapping(_) => self.mapping(rule, node),
            _ => self.scalar(rule, node),
        }
    }

    fn scalar(&self, rule: &Rule, node: &mut Node) -> Result<()> {
        let Some(referral) = self.find(rule, text(node), None, false)? else {
            return Ok(());
        };
        if referral.id.name == text(node) {
            return Ok(());
        }
        set_scalar(node, Node::plain(referral.id.name.clone()))
    }

    fn mapping(&self, rule: &Rule, node: &mut Node) -> Result<()> {
        let Some(name) = field(node, "name")? else {
            fail!("path config error; no 'name' field in node");
        };
        let name = text(name).to_owned();
        let namespace = field(node, "namespace")?.map(|namespace| text(namespace).to_owned());
        let Some(referral) = self.find(rule, &name, namespace.as_deref(), true)? else {
            return Ok(());
        };
        if referral.id.name == name && referral.namespace.is_empty() {
            return Ok(());
        }
        set_field(node, "name", Node::plain(referral.id.name.clone()))?;
        if referral.namespace.is_empty() {
            return Ok(());
        }
        set_field(node, "namespace", Node::plain(referral.namespace.clone()))
    }

    /// Finds the object that a name means, if there is one.
    fn find(
        &self,
        rule: &Rule,
        name: &str,
        namespace: Option<&str>,
        with_namespace: bool,
    ) -> Result<Option<Candidate>> {
        let names = &self.candidates.by_name;
        let mut found: Vec<Candidate> = names
            .candidates(names.hash(name))
            .into_iter()
            .map(|place| self.candidate(place))
            .filter(|candidate| {
                candidate.was_called(name)
                    && candidate.was_of_kind(&rule.referral)
                    && self.role_ref_fits(rule, candidate)
                    && self.is_in_reach(candidate)
            })
            .collect();
        if let Some(namespace) = namespace {
            self.keep_namespace(&mut found, namespace);
        }
        if found.len() == 1 {
            return Ok(found.pop());
        }
        found.retain(|candidate| self.referrer.affixes_agree(candidate, true));
        if found.len() > 1 {
            found.retain(|candidate| self.referrer.affixes_agree(candidate, false));
        }
        let Some(first) = found.first() else {
            return Ok(None);
        };
        let same = |other: &Candidate| {
            other.id.name == first.id.name
                && (!with_namespace || other.namespace == first.namespace)
        };
        if found.iter().all(same) {
            return Ok(Some(found.swap_remove(0)));
        }
        let ids: Vec<String> = found.iter().map(|found| found.id.to_string()).collect();
        let ids = ids.join(", ");
        *self.undecided.borrow_mut() = found.iter().map(|found| found.place).collect();
        fail!("found multiple possible referrals: {ids}\n")
    }

    fn candidate(&self, place: usize) -> Candidate {
        Candidate::at(place, self.list, self.schemas)
    }

    fn role_ref_fits(&self, rule: &Rule, candidate: &Candidate) -> bool {
        !rule.is_role_ref
            || self
                .referrer
                .role_ref
                .as_ref()
                .is_none_or(|role_ref| candidate.was_of_kind(role_ref))
    }

    /// Cluster-scoped objects see and are seen by all; others need the same namespace, but for service
    /// accounts in a namespace that the role binding names.
    fn is_in_reach(&self, candidate: &Candidate) -> bool {
        let referrer = self.referrer;
        referrer.id.cluster_scoped
            || candidate.id.cluster_scoped
            || candidate.id.in_same_namespace(&referrer.id)
            || candidate.id.gvk.kind == "ServiceAccount"
                && referrer.binding_namespaces.contains(&candidate.namespace)
    }

    /// Keeps those candidates that were in a namespace at first; where that was empty for all objects in
    /// reach, those that are in it now.
    fn keep_namespace(&self, found: &mut Vec<Candidate>, namespace: &str) {
        if namespace == crate::id::NO_NAMESPACE {
            return found.clear();
        }
        let there = self.candidates.by_original_namespace.get(namespace);
        let was_there = there.is_some_and(|places| {
            let mut candidates = places.iter().map(|place| self.candidate(*place as usize));
            candidates.any(|candidate| self.is_in_subset(&candidate))
        });
        found.retain(|candidate| {
            let at = if was_there {
                candidate.original_namespace.as_str()
            } else {
                candidate.id.effective_namespace()
            };
            at == namespace
        });
    }

    /// The objects among which upstream looks for a namespace at all.
    fn is_in_subset(&self, candidate: &Candidate) -> bool {
        let referrer = self.referrer;
        referrer.id.cluster_scoped
            || candidate.id.cluster_scoped
            || candidate.id.in_same_namespace(&referrer.id)
            || referrer.binding_namespaces.contains(&candidate.namespace)
    }
}

/// Adds the objects among which the search was not decided.
fn explained(
    error: BuildError,
    undecided: &[usize],
    objects: &ResMap,
    referrer: usize,
) -> BuildError {
    if undecided.is_empty() {
        return error;
    }
    let yaml = |index: usize| {
        let mut out = String::new();
        match crate::emission::print(&mut out, &objects.get(index).node) {
            Ok(()) => out,
            Err(error) => format!("<{error}>\n"),
        }
    };
    let mut message = format!(
        "{}\n**** Too many possible referral targets to referrer:\n{}\n",
        error.message(),
        yaml(referrer)
    );
    for (number, index) in undecided.iter().enumerate() {
        message.push_str(&format!(
            "--- possible referral {number}:\n{}\n",
            yaml(*index)
        ));
    }
    error.reword(message)
}
