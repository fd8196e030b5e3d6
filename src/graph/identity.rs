//! Names for nodes that stay the same when other statements change, so that state finds its operator again.

use std::collections::HashMap;

use arrow::datatypes::Schema;
use twox_hash::XxHash3_64;

use super::{Graph, NodeId, Operation};

impl Graph {
    /// A name for every node, in their order: the statement (or the table that is read) it belongs to, what it is, and a hash of
    /// all that its state depends on. Two that are alike in one statement are numbered.
    ///
    /// So state survives statements and stateless steps that are added, changed or removed elsewhere; an operator that keeps
    /// other rows than before has another name.
    pub fn state_ids(&self) -> Vec<String> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut ids = Vec::with_capacity(self.nodes.len());
        for (id, node) in self.nodes.iter().enumerate() {
            let name = match &node.operation {
                Operation::Source(source) => format!("source/{}", source.table.name),
                _ => format!(
                    "{}/{}-{:08x}",
                    self.scopes.get(id).map(String::as_str).unwrap_or_default(),
                    node.kind(),
                    XxHash3_64::oneshot(self.signature(id).as_bytes()) as u32
                ),
            };
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            ids.push(match *count {
                1 => name,
                n => format!("{name}#{n}"),
            });
        }
        ids
    }

    /// Everything that the state of a node depends on, as text.
    fn signature(&self, id: NodeId) -> String {
        let node = &self.nodes[id];
        let mut text = self.title(id);
        match &node.operation {
            Operation::LocalAggregate(a)
            | Operation::WindowAggregate(a)
            | Operation::GroupAggregate(a) => text += &shown(&a.partial_schema),
            Operation::Source(_) | Operation::Sink(_) | Operation::Calc(_) => {}
            _ => {
                for input in &node.inputs {
                    text += &shown(&self.nodes[input.from].schema);
                }
            }
        }
        text
    }
}

fn shown(schema: &Schema) -> String {
    let fields = schema.fields().iter();
    let fields: Vec<String> = fields
        .map(|f| format!("{} {}", f.name(), f.data_type()))
        .collect();
    format!(" [{}]", fields.join(", "))
}
