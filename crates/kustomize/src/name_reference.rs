//! Name references: fields that hold the name of another object follow its renaming.
//!
//! Runs once, over the whole build. Candidates are found by their former names through an index.

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
use crate::resmap::ResMap;
use crate::resource::Resource;

/// One field of referrers, and the kind it refers to.
struct Rule {
    spec: Spec,
    referral: Gvk,
    is_role_ref: bool,
}

/// What is known of an object that others may refer to.
struct Candidate {
    id: ResId,
    original_namespace: Text,
    /// Namespace as written.
    namespace: Text,
    former_kinds: SmallVec<[Text; 2]>,
    prefixes: SmallVec<[Text; 2]>,
    suffixes: SmallVec<[Text; 2]>,
}

struct Candidates {
    list: Vec<Candidate>,
    /// By every former name.
    by_name: HashMap<Text, SmallVec<[u32; 1]>>,
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
    let candidates = Candidates::of(objects.resources(), schemas);
    let rules = Rules::of(config);
    for index in 0..objects.len() {
        let resource = &objects.resources()[index];
        let original = resource.original_gvk();
        let own = rules.of_kind(&original.kind);
        let fitting: Vec<&Rule> = own
            .filter(|rule| original.is_selected(&rule.spec.spec.gvk()))
            .collect();
        if fitting.is_empty() {
            continue;
        }
        let referrer = Referrer::of(resource, schemas)?;
        let search = Search {
            candidates: &candidates,
            referrer: &referrer,
            objects: std::cell::RefCell::new(Vec::new()),
        };
        let mut node = std::mem::replace(&mut objects.same_identity_mut(index).node, Node::null());
        let outcome = search.update(&mut node, &fitting);
        objects.same_identity_mut(index).node = node;
        outcome.map_err(|error| explained(error, &search, objects, index))?;
    }
    Ok(())
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
    fn of(resources: &[Resource], schemas: &Schemas) -> Self {
        let mut candidates = Self {
            list: Vec::with_capacity(resources.len()),
            by_name: HashMap::new(),
            by_original_namespace: HashMap::new(),
        };
        for (index, resource) in resources.iter().enumerate() {
            let place = u32::try_from(index).unwrap_or(u32::MAX);
            for former in &resource.notes.former {
                let places = candidates.by_name.entry(former.name.clone()).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
            let original = resource.original_id(schemas);
            let original_namespace = Text::from(original.effective_namespace());
            let there = &mut candidates.by_original_namespace;
            there
                .entry(original_namespace.clone())
                .or_default()
                .push(place);
            candidates.list.push(Candidate {
                id: resource.current_id(schemas),
                original_namespace,
                namespace: resource.namespace().into(),
                former_kinds: resource
                    .notes
                    .former
                    .iter()
                    .map(|f| f.kind.clone())
                    .collect(),
                prefixes: resource.notes.prefixes.clone(),
                suffixes: resource.notes.suffixes.clone(),
            });
        }
        candidates
    }
}

impl Candidate {
    fn was_of_kind(&self, gvk: &Gvk) -> bool {
        let own = &self.id.gvk;
        let agrees = |want: &str, have: &str| want.is_empty() || want == have;
        agrees(&gvk.group, &own.group)
            && agrees(&gvk.version, &own.version)
            && self.former_kinds.iter().any(|kind| agrees(&gvk.kind, kind))
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
    referrer: &'a Referrer,
    /// Candidates left when a search was not decided.
    objects: std::cell::RefCell<Vec<usize>>,
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
    ) -> Result<Option<&Candidate>> {
        let Some(places) = self.candidates.by_name.get(name) else {
            return Ok(None);
        };
        let list = |place: &u32| &self.candidates.list[*place as usize];
        let mut found: Vec<usize> = places
            .iter()
            .filter(|place| {
                let candidate = list(place);
                candidate.was_of_kind(&rule.referral)
                    && self.role_ref_fits(rule, candidate)
                    && self.is_in_reach(candidate)
            })
            .map(|place| *place as usize)
            .collect();
        if let Some(namespace) = namespace {
            found = self.in_namespace(found, namespace);
        }
        let candidate = |index: usize| &self.candidates.list[index];
        if let [only] = found.as_slice() {
            return Ok(Some(candidate(*only)));
        }
        found.retain(|index| self.referrer.affixes_agree(candidate(*index), true));
        if found.len() > 1 {
            found.retain(|index| self.referrer.affixes_agree(candidate(*index), false));
        }
        let Some(first) = found.first().map(|index| candidate(*index)) else {
            return Ok(None);
        };
        let same = |index: &usize| {
            let other = candidate(*index);
            other.id.name == first.id.name
                && (!with_namespace || other.namespace == first.namespace)
        };
        if found.iter().all(same) {
            return Ok(Some(first));
        }
        let ids: Vec<String> = found.iter().map(|i| candidate(*i).id.to_string()).collect();
        let ids = ids.join(", ");
        *self.objects.borrow_mut() = found;
        fail!("found multiple possible referrals: {ids}\n")
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

    /// Of the candidates, those that were in a namespace at first; where that was empty for all objects in
    /// reach, those that are in it now.
    fn in_namespace(&self, found: Vec<usize>, namespace: &str) -> Vec<usize> {
        let all = &self.candidates.list;
        let there = self.candidates.by_original_namespace.get(namespace);
        let was_there = namespace != crate::id::NO_NAMESPACE
            && there.is_some_and(|places| {
                let mut candidates = places.iter().map(|place| &all[*place as usize]);
                candidates.any(|candidate| self.is_in_subset(candidate))
            });
        let keep = |index: &usize| {
            let candidate = &all[*index];
            let at = if was_there {
                candidate.original_namespace.as_str()
            } else {
                candidate.id.effective_namespace()
            };
            at == namespace && namespace != crate::id::NO_NAMESPACE
        };
        found.into_iter().filter(keep).collect()
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
    search: &Search<'_>,
    objects: &ResMap,
    referrer: usize,
) -> BuildError {
    let undecided = search.objects.borrow();
    if undecided.is_empty() {
        return error;
    }
    let yaml = |index: usize| {
        let mut out = String::new();
        match crate::emission::print(&mut out, &objects.resources()[index].node) {
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
