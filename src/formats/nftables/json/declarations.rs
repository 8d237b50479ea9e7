use super::{Handle, Reader, escape};
use crate::formats::data::{Kind, Node, Object as Fields};
use crate::formats::nftables::syntax::{
    Base, Chain, ChainPath, CtExpectation, CtTimeout, Declaration, Expression, Flowtable, Name, Object, ObjectData,
    ObjectKind, Path, Place, Policy, Priority, Rule, Set, SetData, SetFlag, SetKey, Synproxy, Table, TableFlag, Verb,
};
use std::borrow::Cow;

impl<'j> Reader<'j, '_> {
    pub(super) fn table(&mut self, node: Node<'j>) -> Option<Table<'j>> {
        let mut object = self.object(node)?;
        let family = self.family(&mut object);
        let name = self.required(&mut object, "name");
        let flags = self.flags(&mut object, "flags", TableFlag::from_keyword);
        let comment = self.comment(&mut object);
        let handle = self.handle(&mut object);
        self.close(object);
        Some(Table { family: family?, name: self.name(name?)?, flags, comment, handle })
    }

    pub(super) fn chain(&mut self, node: Node<'j>) -> Option<Chain<'j>> {
        let mut object = self.object(node)?;
        let path = self.path(&mut object, "name");
        let base = self.base(&mut object);
        let policy = object.take("policy").and_then(|policy| self.policy(policy));
        let comment = self.comment(&mut object);
        let handle = self.handle(&mut object);
        self.close(object);
        Some(Chain { path: path?, base, policy, comment, handle })
    }

    fn base(&mut self, object: &mut Fields<'j>) -> Option<Base<'j>> {
        let at = self.span(object.at);
        let (kind, hook, priority) = (object.take("type"), object.take("hook"), object.take("prio"));
        let mut devices = object.take("dev").map(|dev| self.names(dev)).unwrap_or_default();
        let flags = self.flags(object, "flags", |flag| (flag == b"offload").then_some(()));
        if kind.is_none() && hook.is_none() && priority.is_none() {
            return None;
        }
        let missing = [(kind, "type"), (hook, "hook"), (priority, "prio")];
        for (_, key) in missing.iter().filter(|(node, _)| node.is_none()) {
            self.gap(object.at, format!("the key `{key}` of a base chain is missing"));
        }
        let (kind, hook) = (self.name(kind?)?, self.name(hook?)?);
        let priority = self.priority(priority?)?;
        // nft 1.0.6 lists the chains of devices without them.
        if devices.is_empty() && matches!(&*hook.text, b"ingress" | b"egress") {
            devices.push(Name { text: Cow::Borrowed(b"?"), at });
        }
        Some(Base { at, kind, hook, devices, priority, offload: !flags.is_empty() })
    }

    fn priority(&mut self, node: Node<'j>) -> Option<Priority<'j>> {
        let at = self.span(node);
        let offset = node.integer();
        if offset.is_none() {
            self.gap(node, "a whole number is expected");
        }
        Some(Priority { at, name: None, offset: offset? })
    }

    fn policy(&mut self, node: Node<'j>) -> Option<Policy> {
        let at = self.span(node);
        let accept = self.keyword(node, |word| match word {
            b"accept" => Some(true),
            b"drop" => Some(false),
            _ => None,
        })?;
        Some(Policy { accept, at })
    }

    pub(super) fn rule(&mut self, node: Node<'j>, says: Handle) -> Option<(ChainPath<'j>, Option<Place>, Rule<'j>)> {
        let mut object = self.object(node)?;
        let path = self.path(&mut object, "chain");
        let handle = self.handle(&mut object);
        let index = object.take("index");
        let list = self.required(&mut object, "expr");
        let comment = self.comment(&mut object);
        self.close(object);
        let list = list?;
        let at = self.span(list);
        let statements = match list.list() {
            Some(nodes) => self.statements(nodes),
            None => {
                self.gap(list, "a list of statements is expected");
                return None;
            }
        };
        let place = match (handle.filter(|_| says == Handle::Place), index) {
            (Some(handle), _) => Some(Place::Handle(handle)),
            (None, Some(index)) => Some(Place::Index(self.natural(index)?)),
            (None, None) => None,
        };
        Some((path?, place, Rule { at, statements, comment, handle: handle.filter(|_| says == Handle::Own) }))
    }

    /// A set or map; its elements become a command of their own.
    pub(super) fn set(&mut self, node: Node<'j>, map: bool) -> Option<Declaration<'j>> {
        let at = self.span(node);
        let mut object = self.object(node)?;
        let path = self.path(&mut object, "name");
        let key = object.take("type").and_then(|key| self.key(key));
        let data = object.take("map").and_then(|data| self.data(data));
        let flags = self.flags(&mut object, "flags", SetFlag::from_keyword);
        let timeout = self.seconds(&mut object, "timeout");
        let gc_interval = self.seconds(&mut object, "gc-interval");
        let size = object.take("size").and_then(|size| self.natural(size));
        let policy = object.take("policy").and_then(|policy| self.name(policy));
        let auto_merge = object.take("auto-merge").and_then(|merge| self.truth(merge));
        let statements = object.take("stmt").map(|list| self.hidden_statements(list)).unwrap_or_default();
        let elements = object.take("elem");
        let comment = self.comment(&mut object);
        let handle = self.handle(&mut object);
        self.close(object);
        let path = path?;
        let set = Set {
            at,
            path: path.clone(),
            key,
            map: map || data.is_some(),
            data,
            flags,
            timeout,
            gc_interval,
            size,
            policy,
            auto_merge: auto_merge.unwrap_or_default(),
            listed: true,
            comment,
            statements,
            handle,
        };
        let declared = Declaration::Set(Box::new(set));
        let Some(list) = elements else { return Some(declared) };
        self.command(node, Some(Verb::Add(declared)));
        self.left_to_meaning(list);
        Some(Declaration::Elements { set: path, elements: self.elements(list), elements_at: self.span(list) })
    }

    fn key(&mut self, node: Node<'j>) -> Option<SetKey<'j>> {
        Some(match self.type_of(node) {
            Some(expression) => SetKey::TypeOf(expression),
            None => SetKey::Types(self.types(node)),
        })
    }

    fn data(&mut self, node: Node<'j>) -> Option<SetData<'j>> {
        if let Some(expression) = self.type_of(node) {
            return Some(SetData::TypeOf(expression, false));
        }
        let kind = node.text().and_then(|word| ObjectKind::from_keyword(word.as_bytes()));
        Some(kind.map_or_else(|| SetData::Types(self.types(node), false), SetData::Objects))
    }

    /// `{"typeof": EXPRESSION}`, from 1.1 on.
    fn type_of(&mut self, node: Node<'j>) -> Option<Expression<'j>> {
        let (key, value) = node.only()?;
        (key == "typeof").then(|| self.expression(value))
    }

    /// `"ipv4_addr"`, `["ipv4_addr", "inet_service"]`, or `"ipv4_addr . inet_service"`.
    fn types(&mut self, node: Node<'j>) -> Vec<Name<'j>> {
        let mut names = Vec::new();
        for part in self.several(node) {
            let at = self.span(part);
            let text = self.text(part).unwrap_or_default();
            names.extend(text.split('.').map(|word| Name { text: word.trim().as_bytes().into(), at }));
        }
        names
    }

    /// `{"element": …}`.
    pub(super) fn elements_of(&mut self, node: Node<'j>) -> Option<Declaration<'j>> {
        let mut object = self.object(node)?;
        let set = self.path(&mut object, "name");
        let list = self.required(&mut object, "elem");
        self.close(object);
        let list = list?;
        self.left_to_meaning(list);
        Some(Declaration::Elements { set: set?, elements: self.elements(list), elements_at: self.span(list) })
    }

    pub(super) fn flowtable(&mut self, node: Node<'j>) -> Option<Flowtable<'j>> {
        let at = self.span(node);
        let mut object = self.object(node)?;
        let path = self.path(&mut object, "name");
        let hook = object.take("hook").and_then(|hook| self.name(hook));
        let priority = object.take("prio").and_then(|priority| self.priority(priority));
        let devices = object.take("dev").map(|dev| self.names(dev)).unwrap_or_default();
        let flags = self.flags(&mut object, "flags", |flag| match flag {
            b"offload" | b"counter" => Some(flag == b"offload"),
            _ => None,
        });
        let handle = self.handle(&mut object);
        self.close(object);
        let hook = hook.zip(priority);
        let (offload, counter) = (flags.contains(&true), flags.contains(&false));
        Some(Flowtable { at, path: path?, hook, devices, offload, counter, handle })
    }

    fn names(&mut self, node: Node<'j>) -> Vec<Name<'j>> {
        self.several(node).into_iter().filter_map(|name| self.name(name)).collect()
    }

    /// A counter, quota … with a name.
    pub(super) fn named(&mut self, kind: ObjectKind, node: Node<'j>) -> Option<Object<'j>> {
        let at = self.span(node);
        let mut object = self.object(node)?;
        let path: Option<Path<'j>> = self.path(&mut object, "name");
        let comment = self.comment(&mut object);
        let handle = self.handle(&mut object);
        let data = match kind {
            ObjectKind::Counter => {
                let (packets, bytes) = self.counted(&mut object);
                Some(ObjectData::Counter { packets, bytes })
            }
            ObjectKind::Quota => self.quota(&mut object).map(|quota| ObjectData::Quota(Some(quota))),
            ObjectKind::Limit => self.limit(&mut object).map(|limit| ObjectData::Limit(Some(limit))),
            ObjectKind::CtHelper => Some(ObjectData::CtHelper {
                kind: self.optional_name(&mut object, "type"),
                protocol: self.optional_name(&mut object, "protocol"),
                l3proto: self.optional_name(&mut object, "l3proto"),
            }),
            ObjectKind::CtTimeout => Some(ObjectData::CtTimeout(self.ct_timeout(&mut object))),
            ObjectKind::CtExpectation => Some(ObjectData::CtExpectation(self.ct_expectation(&mut object))),
            ObjectKind::Secmark => Some(ObjectData::Secmark(self.optional_name(&mut object, "context"))),
            ObjectKind::Synproxy => Some(ObjectData::Synproxy(self.synproxy(&mut object))),
            ObjectKind::Tunnel => {
                self.gap(node, "tunnels are not known");
                return None;
            }
        };
        self.close(object);
        Some(Object { at, path: path?, data: data?, comment, handle })
    }

    fn optional_name(&mut self, object: &mut Fields<'j>, key: &str) -> Option<Name<'j>> {
        object.take(key).and_then(|name| self.name(name))
    }

    fn ct_timeout(&mut self, object: &mut Fields<'j>) -> CtTimeout<'j> {
        let protocol = self.optional_name(object, "protocol");
        let l3proto = self.optional_name(object, "l3proto");
        let mut policy = Vec::new();
        if let Some(node) = object.take("policy") {
            for entry in self.object(node).map(Fields::close).unwrap_or_default() {
                let name = Name { text: entry.name.as_bytes().into(), at: self.span(entry.key) };
                policy.extend(self.natural(entry.value).map(|seconds| (name, seconds)));
            }
        }
        // As the manual has it: one state and its value.
        if let (Some(state), Some(value)) = (object.take("state"), object.take("value")) {
            policy.extend(self.name(state).zip(self.natural(value)));
        }
        CtTimeout { protocol, l3proto, policy }
    }

    fn ct_expectation(&mut self, object: &mut Fields<'j>) -> CtExpectation<'j> {
        CtExpectation {
            protocol: self.optional_name(object, "protocol"),
            l3proto: self.optional_name(object, "l3proto"),
            dport: object.take("dport").map(|port| self.expression(port)),
            timeout: object.take("timeout").and_then(|timeout| self.natural(timeout)),
            size: object.take("size").and_then(|size| self.natural(size)),
        }
    }

    pub(super) fn synproxy(&mut self, object: &mut Fields<'j>) -> Synproxy {
        let mss = object.take("mss").and_then(|mss| self.narrow(mss));
        let wscale = object.take("wscale").and_then(|scale| self.narrow(scale));
        let flags = self.flags(object, "flags", |flag| match flag {
            b"timestamp" | b"sack-perm" => Some(flag == b"timestamp"),
            _ => None,
        });
        Synproxy { mss, wscale, timestamp: flags.contains(&true), sack_perm: flags.contains(&false) }
    }

    /// A number as text has it.
    pub(super) fn digits(&mut self, node: Node<'j>) -> Option<Cow<'j, [u8]>> {
        if node.kind() == Kind::Number && node.integer().is_none() && node.natural().is_none() {
            self.gap(node, format!("`{}` is not a whole number", escape(node.written())));
            return None;
        }
        Some(node.written().as_bytes().into())
    }
}
