//! The open containers, and the facts that are known of each.

/// The deepest document, in containers. Deeper content passes as it is; no FHIR resource is that
/// deep.
const MAX_DEPTH: usize = 512;

/// The names that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Url,
    ResourceType,
    Extension,
    Link,
    Request,
    Entry,
    Resource,
    Other,
}

impl Name {
    pub(super) fn of(name: &[u8], is_patch: bool) -> Self {
        match name {
            b"url" => Self::Url,
            b"resourceType" => Self::ResourceType,
            b"extension" | b"modifierExtension" => Self::Extension,
            b"link" => Self::Link,
            b"request" => Self::Request,
            b"entry" => Self::Entry,
            b"resource" | b"contained" | b"outcome" => Self::Resource,
            b"value" | b"valueUri" | b"valueUrl" if is_patch => Self::Url,
            _ => Self::Other,
        }
    }
}

/// Resources whose type comes after a text that was found in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wait {
    /// The depth of the innermost one.
    pub(super) resource: Option<usize>,
    /// The document may not be a resource at all.
    pub(super) root: bool,
}

impl Wait {
    pub(super) fn is_over(self) -> bool {
        self == Self::default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is a resource, and not a Binary.
    Replaced,
    /// It is a Binary.
    Binary,
    /// It has no type: the resource around it decides.
    NoResource {
        /// The depth of the resource around it, if its type is not yet known.
        outer: Option<usize>,
        /// True if the resource around it is known to be a Binary.
        is_binary: bool,
    },
}

/// The role of a container, by its own name, or by that of the array around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Plain,
    /// An element of `extension` or `modifierExtension`.
    Extension,
    /// An element of `link`.
    Link,
    /// An element of `entry`.
    Entry,
    /// The `request` of an element of `entry`.
    EntryRequest,
    /// The document, or an element of `resource`, `contained` or `outcome`.
    Resource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    /// It is at no place where a resource could be.
    None,
    Unknown,
    Binary,
    Other,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    is_object: bool,
    role: Role,
    resource: Type,
}

#[derive(Debug, Default)]
pub(super) struct Frames(Vec<Frame>);

/// The text is no JSON document, or one too deep.
pub(super) struct Broken;

impl Frames {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_in_object(&self) -> bool {
        self.0.last().is_some_and(|frame| frame.is_object)
    }

    /// True if a member `url` of the innermost object may be that of an Attachment.
    pub(super) fn is_attachment(&self) -> bool {
        self.0.last().is_some_and(|frame| {
            let excluded = [Role::Extension, Role::Link, Role::EntryRequest];
            frame.is_object && !excluded.contains(&frame.role)
        })
    }

    /// True if a member `resourceType` of the innermost object would be news.
    pub(super) fn wants_type(&self) -> bool {
        self.0
            .last()
            .is_some_and(|frame| frame.resource == Type::Unknown)
    }

    /// `name` is the last one that was read.
    pub(super) fn open(&mut self, is_object: bool, name: Name) -> Result<(), Broken> {
        if self.0.len() == MAX_DEPTH {
            return Err(Broken);
        }
        let role = match self.0.last() {
            None => Role::Resource,
            Some(outer) if outer.is_object => match name {
                Name::Extension => Role::Extension,
                Name::Link => Role::Link,
                Name::Entry => Role::Entry,
                Name::Request if outer.role == Role::Entry => Role::EntryRequest,
                Name::Resource => Role::Resource,
                Name::Url | Name::ResourceType | Name::Request | Name::Other => Role::Plain,
            },
            // The elements of an array have its name, and those of an array in an array have none.
            Some(outer) if is_object && self.0.len() > 1 => outer.role,
            Some(_) => Role::Plain,
        };
        let resource = if is_object && role == Role::Resource {
            Type::Unknown
        } else {
            Type::None
        };
        self.0.push(Frame {
            is_object,
            role,
            resource,
        });
        Ok(())
    }

    /// Closes the innermost container. Returns the depth of a resource without a type, and the
    /// verdict on it.
    pub(super) fn close(&mut self, is_object: bool) -> Result<Option<(usize, Verdict)>, Broken> {
        let frame = self.0.pop().filter(|frame| frame.is_object == is_object);
        let frame = frame.ok_or(Broken)?;
        Ok((frame.resource == Type::Unknown).then(|| {
            let (outer, is_binary) = self.innermost();
            (self.0.len(), Verdict::NoResource { outer, is_binary })
        }))
    }

    /// The innermost object has a type. Returns its depth, and the verdict on it.
    pub(super) fn learn_type(&mut self, is_binary: bool) -> (usize, Verdict) {
        let (resource, verdict) = if is_binary {
            (Type::Binary, Verdict::Binary)
        } else {
            (Type::Other, Verdict::Replaced)
        };
        if let Some(frame) = self.0.last_mut() {
            frame.resource = resource;
        }
        (self.0.len().saturating_sub(1), verdict)
    }

    /// The facts that must be known of the resources around before a text in them may be replaced;
    /// `None` if none may. `needs_root`: the document must be a resource itself.
    pub(super) fn wait(&self, needs_root: bool) -> Option<Wait> {
        let (resource, is_binary) = self.innermost();
        let root = self.0.first()?.resource;
        if is_binary || needs_root && root == Type::None {
            return None;
        }
        Some(Wait {
            resource,
            root: needs_root && root == Type::Unknown,
        })
    }

    /// The depth of the innermost resource if its type is not yet known; otherwise `true` if it is
    /// a Binary.
    fn innermost(&self) -> (Option<usize>, bool) {
        let mut frames = self.0.iter().enumerate().rev();
        let resource = frames.find(|(_, frame)| frame.resource != Type::None);
        match resource {
            Some((depth, frame)) if frame.resource == Type::Unknown => (Some(depth), false),
            Some((_, frame)) => (None, frame.resource == Type::Binary),
            None => (None, false),
        }
    }
}
