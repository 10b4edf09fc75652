//! Accumulation: one kustomization with everything it names, in upstream's order.

mod steps;

use std::sync::Arc;

use crate::config::{Config, load_crds};
use crate::error::{BuildError, Fault, Result};
use crate::kustomization::{COMPONENT_KIND, FILE_NAMES, Kustomization};
use crate::loader::{Loader, ReadFault};
use crate::openapi::Schemas;
use crate::origin::Origin;
use crate::resmap::ResMap;
use crate::resource::ORIGIN;
use crate::variables::VarSet;

/// What a kustomization has gathered.
#[derive(Default)]
pub(crate) struct Accumulator {
    pub objects: ResMap,
    pub config: Option<Arc<Config>>,
    pub vars: VarSet,
}

/// One kustomization under construction.
pub(crate) struct Target<'a> {
    loader: Loader<'a>,
    pub kustomization: Kustomization,
    file: &'static str,
    schemas: &'a Schemas,
    /// Set while origins are noted.
    origin: Option<Origin>,
    /// Namespace that charts inherit from kustomizations around.
    helm_namespace: String,
}

impl Accumulator {
    fn merge_config(&mut self, config: &Arc<Config>) -> Result<()> {
        self.config = Some(Config::merge(&self.config, config)?);
        Ok(())
    }

    fn merge(&mut self, other: Accumulator, schemas: &Schemas) -> Result<()> {
        self.objects.merge(other.objects, schemas)?;
        if let Some(config) = &other.config {
            self.merge_config(config)?;
        }
        self.vars.absorb(other.vars)
    }
}

/// Reads the one kustomization file of a directory.
fn kustomization_file(loader: &Loader) -> Result<(Arc<[u8]>, &'static str)> {
    let mut found = None;
    for name in FILE_NAMES {
        if let Ok(content) = loader.load(name) {
            if found.is_some() {
                let root = loader.shown_root();
                let message = format!("Found multiple kustomization files under: {root}\n");
                return Err(BuildError::new(message));
            }
            found = Some((content, name));
        }
    }
    found.ok_or_else(|| {
        let root = loader.shown_root();
        BuildError::with(
            Fault::Missing,
            format!(
                "unable to find one of 'kustomization.yaml', 'kustomization.yml' or \
                 'Kustomization' in directory '{root}'"
            ),
        )
    })
}

impl<'a> Target<'a> {
    /// Reads the kustomization at a place.
    pub fn load(loader: Loader<'a>, schemas: &'a Schemas) -> Result<Self> {
        let (content, file) = kustomization_file(&loader)?;
        let path = loader.file_name(file);
        let root = loader.shown_root();
        let mut warnings = loader.warnings.borrow_mut();
        let kustomization = Kustomization::read(&content, &path, &root, &mut warnings);
        drop(warnings);
        let kustomization = kustomization?;
        Ok(Self {
            loader,
            kustomization,
            file,
            schemas,
            origin: None,
            helm_namespace: String::new(),
        })
    }

    /// Puts the schema that the kustomization names in force, unless one is already.
    pub fn set_schema(&self) -> Result<()> {
        let openapi = &self.kustomization.openapi;
        let document = match openapi.get("path") {
            Some(path) => Some(self.loader.load(path)?),
            None => None,
        };
        let version = openapi.get("version").map(String::as_str);
        self.schemas.set(version, document.as_deref())
    }

    /// Builds everything below and at this kustomization, the first of the build.
    pub fn accumulate_first(&mut self) -> Result<Accumulator> {
        if !self.kustomization.build_metadata.is_empty() {
            self.origin = Some(Origin::default());
        }
        self.accumulate(Accumulator::default())
    }

    fn accumulate(&mut self, into: Accumulator) -> Result<Accumulator> {
        let root = self.loader.shown_root();
        let outcome = self.accumulate_all(into);
        outcome.map_err(|error| error.through(&root))
    }

    fn accumulate_all(&mut self, mut gathered: Accumulator) -> Result<Accumulator> {
        let resources = std::mem::take(&mut self.kustomization.resources);
        self.resources(&mut gathered, &resources)
            .map_err(|error| error.wrap("accumulating resources"))?;
        gathered.merge_config(&self.own_config()?)?;
        for path in &self.kustomization.crds {
            let content = self.loader.load(path);
            let crds = content.and_then(|content| load_crds(path, &content));
            let crds = crds.map_err(|error| {
                let all = self.kustomization.crds.join(" ");
                error.wrap(format!("loading CRDs [{all}]"))
            })?;
            gathered.merge_config(&Arc::new(crds))?;
        }
        self.run_generators(&mut gathered)?;
        let components = std::mem::take(&mut self.kustomization.components);
        let gathered = self
            .components(gathered, &components)
            .map_err(|error| error.wrap("accumulating components"))?;
        let mut gathered = self.run_transformers(gathered)?;
        self.run_validators(&mut gathered)?;
        let vars = &self.kustomization.vars;
        gathered
            .vars
            .add_all(vars, &mut gathered.objects, self.schemas)
            .map_err(|error| error.wrap("merging vars"))?;
        Ok(gathered)
    }

    /// Returns the built-in field specifications with those of the `configurations` files.
    fn own_config(&self) -> Result<Arc<Config>> {
        let built_in = Config::built_in();
        if self.kustomization.configurations.is_empty() {
            return Ok(built_in);
        }
        let mut own: Option<Arc<Config>> = None;
        for path in &self.kustomization.configurations {
            let content = self.loader.load(path)?;
            let at = |error: BuildError| error.at(&self.loader.file_name(path), None);
            let json = crate::reading::yaml_to_json(&content).map_err(at)?;
            let mut config: Config = crate::decode::decode_file(json).map_err(at)?;
            config.sort();
            own = Some(Config::merge(&own, &Arc::new(config))?);
        }
        match own {
            Some(own) => Config::merge(&Some(built_in), &own),
            None => Ok(built_in),
        }
    }

    /// Takes each path as a file, or else as a directory.
    fn resources(&mut self, into: &mut Accumulator, paths: &[String]) -> Result<()> {
        for path in paths {
            let Err(as_file) = self.resource_file(into, path) else {
                continue;
            };
            if as_file.fault() == Fault::Http {
                return Err(as_file);
            }
            let loader = match self.loader.enter(path) {
                Ok(loader) => loader,
                Err(_) if as_file.fault() == Fault::Malformed => return Err(as_file),
                Err(error) => return Err(accumulation(&error, &as_file)),
            };
            let gathered = std::mem::take(into);
            let outer = self.origin.clone();
            self.origin = outer.as_ref().map(|origin| origin.append(path));
            let merged = self.directory(gathered, loader, false);
            self.origin = outer;
            *into = merged.map_err(|error| accumulation(&error, &as_file))?;
        }
        Ok(())
    }

    fn resource_file(&self, into: &mut Accumulator, path: &str) -> Result<()> {
        let wrap = |error: BuildError| error.wrap(format!("accumulating resources from '{path}'"));
        let origin = self
            .origin
            .as_ref()
            .map(|origin| origin.append(path).text());
        let mut own = ResMap::default();
        let mut unfit: Result<()> = Ok(());
        let read = self.loader.read_objects(path, &mut |mut resource| {
            if unfit.is_ok() {
                let marked = origin.as_ref().map(|text| set_origin(&mut resource, text));
                // The objects of one file must differ, as upstream collects them on their own first.
                unfit = own
                    .append(&resource, self.schemas)
                    .map_err(wrap)
                    .and(marked.unwrap_or(Ok(())));
            }
        });
        read.map_err(|fault| match fault {
            ReadFault::File(error) => wrap(error),
            ReadFault::Content(error) => {
                let error = crate::reading::in_file(error, path);
                wrap(error.at(&self.loader.file_name(path), None))
            }
        })?;
        unfit?;
        into.objects.merge(own, self.schemas).map_err(|error| {
            let error = error.wrap(format!("merging resources from '{path}'"));
            error.at(&self.loader.file_name(path), None)
        })
    }

    fn components(&mut self, mut gathered: Accumulator, paths: &[String]) -> Result<Accumulator> {
        for path in paths {
            let loader = self.loader.enter(path).map_err(|error| {
                let quoted = go_quoted(error.message());
                error.reword(format!("loader.New {quoted}"))
            })?;
            let outer = self.origin.clone();
            self.origin = outer.as_ref().map(|origin| origin.append(path));
            let merged = self.directory(gathered, loader, true);
            self.origin = outer;
            gathered = merged.map_err(|error| {
                let quoted = go_quoted(error.message());
                error.reword(format!("accumulateDirectory: {quoted}"))
            })?;
        }
        Ok(gathered)
    }

    /// Builds a kustomization in another directory: a component goes on with what is there, any other
    /// starts afresh and is merged.
    fn directory(
        &mut self,
        mut gathered: Accumulator,
        loader: Loader<'a>,
        as_component: bool,
    ) -> Result<Accumulator> {
        let root = loader.shown_root();
        let mut below = Target::load(loader, self.schemas).map_err(|error| {
            let error = error.wrap(format!("couldn't make target for path '{root}'"));
            error.through(&root)
        })?;
        let build_metadata = &self.kustomization.build_metadata;
        below
            .kustomization
            .build_metadata
            .clone_from(build_metadata);
        below.origin = self.origin.clone();
        below.helm_namespace = match self.kustomization.namespace.as_str() {
            "" => self.helm_namespace.clone(),
            namespace => namespace.to_owned(),
        };
        below.set_schema()?;
        let kind = &below.kustomization.kind;
        let is_component = kind == COMPONENT_KIND;
        if as_component && !is_component {
            let message =
                format!("expected kind '{COMPONENT_KIND}' for path '{root}' but got '{kind}'");
            return Err(BuildError::new(message));
        }
        if !as_component && is_component {
            let message = format!("expected kind != '{COMPONENT_KIND}' for path '{root}'");
            return Err(BuildError::new(message));
        }
        let wrap =
            |error: BuildError| error.wrap(format!("recursed accumulation of path '{root}'"));
        if as_component {
            return below.accumulate(gathered).map_err(wrap);
        }
        let made = below.accumulate(Accumulator::default()).map_err(wrap)?;
        gathered
            .merge(made, self.schemas)
            .map_err(|error| error.wrap(format!("recursed merging from path '{root}'")))?;
        Ok(gathered)
    }
}

/// Go's `%q`.
fn go_quoted(text: &str) -> String {
    gocompat::quote::quote(text.as_bytes())
}

/// Reports both why a path is no file and why it is no directory.
fn accumulation(as_directory: &BuildError, as_file: &BuildError) -> BuildError {
    let mut error = as_directory.clone();
    if let Some(file) = as_file.file().filter(|_| error.file().is_none()) {
        error = error.at(file, as_file.line());
    }
    error.wrap(format!("accumulation err='{}'", as_file.message()))
}

fn set_origin(resource: &mut crate::resource::Resource, text: &str) -> Result<()> {
    use crate::node::Kind;
    use crate::node::set::{field_or_make, set_field};
    let Some(metadata) = field_or_make(&mut resource.node, "metadata", Kind::Mapping)? else {
        return Ok(());
    };
    if metadata
        .get("annotations")
        .is_some_and(crate::node::is_null)
    {
        metadata.remove("annotations");
    }
    match field_or_make(metadata, "annotations", Kind::Mapping)? {
        Some(annotations) => set_field(annotations, ORIGIN, kyaml::Node::string(text)),
        None => Ok(()),
    }
}
