//! Joins: which kind of time they have, their keys, and what identifies their rows.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::common::{DFSchema, JoinType, NullEquality};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::*;
use crate::graph::{Join, JoinKind, JoinTime};
use crate::planner::bind::interval_millis;

/// What `left - right` of two time attributes may be, as conditions say it.
#[derive(Debug, Default)]
struct Bounds {
    /// Positions of the time attributes: in the left rows, in the right rows.
    columns: Option<(usize, usize)>,
    lower: Option<Millis>,
    upper: Option<Millis>,
}

impl Lowering<'_> {
    pub(super) fn join(&mut self, join: &datafusion::logical_expr::Join) -> Planned<Lowered> {
        let kind = match join.join_type {
            JoinType::Inner => JoinKind::Inner,
            JoinType::Left => JoinKind::Left,
            JoinType::Right => JoinKind::Right,
            JoinType::Full => JoinKind::Full,
            JoinType::LeftSemi => JoinKind::LeftSemi,
            JoinType::LeftAnti => JoinKind::LeftAnti,
            JoinType::LeftMark => JoinKind::LeftMark,
            other => return Err(self.unsupported(&format!("a {other} join"))),
        };
        let left = self.lower(&join.left)?;
        let right = self.lower(&join.right)?;
        let width = (left.roles.len(), right.roles.len());
        let (on_left, on_right): (Vec<Expr>, Vec<Expr>) = join.on.iter().cloned().unzip();
        let (left, left_keys) = self.with_columns(left, &on_left, join.left.schema())?;
        let (right, right_keys) = self.with_columns(right, &on_right, join.right.schema())?;
        let updating = |rows: &Lowered| self.graph.nodes[rows.node].changes.updating;
        let updating = (updating(&left), updating(&right));
        let append_only = updating == (false, false);

        let mut filters = join
            .filter
            .clone()
            .map(split_conjunction_owned)
            .unwrap_or_default();
        let time = if append_only && !join.null_aware {
            self.join_time(
                kind,
                join,
                (&left, &left_keys),
                (&right, &right_keys),
                &mut filters,
            )
        } else {
            JoinTime::Regular
        };
        if append_only && time != JoinTime::Regular && kind == JoinKind::LeftMark {
            return Err(self.unsupported("IN or EXISTS beside OR over windows"));
        }
        let keys: Vec<(usize, usize)> = left_keys
            .iter()
            .copied()
            .zip(right_keys.iter().copied())
            .collect();
        let joined = self.joined_schema(join, &left, &right)?;
        let filter = match conjunction(filters) {
            Some(filter) => Some(self.expression(&filter, &joined)?),
            None => None,
        };
        let one_side = matches!(
            kind,
            JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::LeftMark
        );
        let schema = self.joined_rows(kind, &left, &right);
        let roles = match (time, one_side) {
            (JoinTime::Regular, _) => vec![Role::Plain; schema.fields().len()],
            (_, true) => left.roles.clone(),
            (_, false) => {
                let of_left = !matches!(kind, JoinKind::Right | JoinKind::Full);
                let of_right = !matches!(kind, JoinKind::Left | JoinKind::Full);
                let left = left.roles.iter().map(|role| role.matched(of_left));
                let right = right.roles.iter().map(|role| role.matched(of_right));
                left.chain(right).collect()
            }
        };
        let changes = self.join_changes(
            kind,
            time,
            (&left, &left_keys),
            (&right, &right_keys),
            append_only,
        );
        let gather = keys.is_empty() || join.null_aware;
        let exchange = |columns: Vec<usize>| {
            if gather {
                Exchange::Gather
            } else {
                Exchange::Hash(columns)
            }
        };
        let ttl = self.ttl(&[left.node, right.node]);
        let node = self.graph.add(Node {
            operation: Operation::Join(Arc::new(Join {
                kind,
                time,
                keys,
                nulls_equal: join.null_equality == NullEquality::NullEqualsNull,
                filter,
                null_aware: join.null_aware,
                ttl: ttl.filter(|_| time == JoinTime::Regular),
                updating,
            })),
            inputs: vec![
                Input {
                    from: left.node,
                    exchange: exchange(left_keys),
                },
                Input {
                    from: right.node,
                    exchange: exchange(right_keys),
                },
            ],
            schema,
            changes,
            parallelism: if gather { 1 } else { self.parallelism },
        });
        // The columns computed for the keys go again.
        let keep: Vec<usize> = if one_side {
            let mark = (kind == JoinKind::LeftMark).then_some(left.roles.len());
            (0..width.0).chain(mark).collect()
        } else {
            (0..width.0)
                .chain((0..width.1).map(|i| left.roles.len() + i))
                .collect()
        };
        let rows = Lowered { node, roles };
        self.reshape(rows, &keep, &arrow_schema(&join.schema))
    }

    /// The columns of both sides, for conditions.
    fn joined_schema(
        &self,
        join: &datafusion::logical_expr::Join,
        left: &Lowered,
        right: &Lowered,
    ) -> Planned<DFSchema> {
        let mut fields = Vec::new();
        for (side, lowered, schema) in [
            ("left", left, join.left.schema()),
            ("right", right, join.right.schema()),
        ] {
            let node = &self.graph.nodes[lowered.node].schema;
            for (i, field) in node.fields().iter().enumerate() {
                if i < schema.fields().len() {
                    let (qualifier, field) = schema.qualified_field(i);
                    fields.push((qualifier.cloned(), Arc::clone(field)));
                } else {
                    let named = field.as_ref().clone().with_name(format!("__{side}_key{i}"));
                    fields.push((None, Arc::new(named)));
                }
            }
        }
        self.datafusion(DFSchema::new_with_metadata(fields, Default::default()))
    }

    /// The rows a join gives: those of both sides, NULL where a side may be missing.
    fn joined_rows(&self, kind: JoinKind, left: &Lowered, right: &Lowered) -> SchemaRef {
        let fields = |lowered: &Lowered, nullable: bool| -> Vec<Arc<Field>> {
            let schema = &self.graph.nodes[lowered.node].schema;
            let optional = |f: &Arc<Field>| {
                let is_nullable = nullable || f.is_nullable();
                Arc::new(f.as_ref().clone().with_nullable(is_nullable))
            };
            schema.fields().iter().map(optional).collect()
        };
        let mut all = fields(left, matches!(kind, JoinKind::Right | JoinKind::Full));
        match kind {
            JoinKind::LeftSemi | JoinKind::LeftAnti => {}
            JoinKind::LeftMark => all.push(Arc::new(Field::new("mark", DataType::Boolean, true))),
            _ => all.extend(fields(
                right,
                matches!(kind, JoinKind::Left | JoinKind::Full),
            )),
        }
        Arc::new(Schema::new(all))
    }

    /// How long rows wait for each other; conditions that become part of it are taken out of `filters`.
    fn join_time(
        &self,
        kind: JoinKind,
        join: &datafusion::logical_expr::Join,
        (left, left_keys): (&Lowered, &[usize]),
        (right, right_keys): (&Lowered, &[usize]),
        filters: &mut Vec<Expr>,
    ) -> JoinTime {
        let pairs = || left_keys.iter().zip(right_keys);
        let starts = pairs().any(|(l, r)| {
            matches!(
                (left.roles[*l], right.roles[*r]),
                (Role::WindowStart(..), Role::WindowStart(..))
            )
        });
        let ends = pairs().find(|(l, r)| {
            matches!(
                (left.roles[**l], right.roles[**r]),
                (Role::WindowEnd(_), Role::WindowEnd(_))
            )
        });
        if let (true, Some((l, r))) = (starts, ends) {
            return JoinTime::Window(*l, *r);
        }
        if matches!(
            kind,
            JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::LeftMark
        ) {
            return JoinTime::Regular;
        }
        let mut bounds = Bounds::default();
        let is_time =
            |roles: &[Role], c: usize| roles.get(c).is_some_and(|r| r.is_time_attribute());
        if let Some((l, r)) =
            pairs().find(|(l, r)| is_time(&left.roles, **l) && is_time(&right.roles, **r))
        {
            return JoinTime::Interval {
                left: *l,
                right: *r,
                lower: 0,
                upper: 0,
            };
        }
        let sides = |expr: &Expr| -> Option<(bool, usize, Millis)> {
            let (column, offset) = time_offset(expr)?;
            let side = |schema: &DFSchema, roles: &[Role]| {
                schema
                    .maybe_index_of_column(column)
                    .filter(|c| is_time(roles, *c))
            };
            if let Some(c) = side(join.left.schema(), &left.roles) {
                return Some((true, c, offset));
            }
            side(join.right.schema(), &right.roles).map(|c| (false, c, offset))
        };
        let mut rest = Vec::new();
        for filter in filters.iter() {
            if !bounds.take(filter, &sides) {
                rest.push(filter.clone());
            }
        }
        match (bounds.columns, bounds.lower, bounds.upper) {
            (Some((left, right)), Some(lower), Some(upper)) => {
                *filters = rest;
                JoinTime::Interval {
                    left,
                    right,
                    lower,
                    upper,
                }
            }
            _ => JoinTime::Regular,
        }
    }

    fn join_changes(
        &self,
        kind: JoinKind,
        time: JoinTime,
        (left, left_on): (&Lowered, &[usize]),
        (right, right_on): (&Lowered, &[usize]),
        append_only: bool,
    ) -> Changes {
        let (l, r) = (
            &self.graph.nodes[left.node].changes,
            &self.graph.nodes[right.node].changes,
        );
        let order_dependent = l.order_dependent || r.order_dependent;
        let grows = matches!(kind, JoinKind::Inner | JoinKind::LeftSemi);
        if time != JoinTime::Regular {
            return Changes {
                updating: false,
                upsert_keys: Vec::new(),
                order_dependent,
            };
        }
        let width = left.roles.len();
        // Rows of a key stay in order only where all of them go through the same instance of the join.
        let through = |keys: &[Vec<usize>], on: &[usize]| -> Vec<Vec<usize>> {
            keys.iter()
                .filter(|k| on.iter().all(|c| k.contains(c)))
                .cloned()
                .collect()
        };
        let is_unique = |keys: &[Vec<usize>], on: &[usize]| {
            keys.iter().any(|k| k.iter().all(|c| on.contains(c)))
        };
        let left_keys = through(&l.upsert_keys, left_on);
        let right_keys: Vec<Vec<usize>> = through(&r.upsert_keys, right_on)
            .into_iter()
            .map(|k| k.into_iter().map(|c| c + width).collect())
            .collect();
        let mut keys: Vec<Vec<usize>> = Vec::new();
        match kind {
            JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::LeftMark => keys = left_keys,
            _ => {
                if is_unique(&r.upsert_keys, right_on)
                    && matches!(kind, JoinKind::Inner | JoinKind::Left)
                {
                    keys.extend(left_keys.iter().cloned());
                }
                if is_unique(&l.upsert_keys, left_on)
                    && matches!(kind, JoinKind::Inner | JoinKind::Right)
                {
                    keys.extend(right_keys.iter().cloned());
                }
                for a in &left_keys {
                    keys.extend(
                        right_keys
                            .iter()
                            .map(|b| a.iter().chain(b).copied().collect()),
                    );
                }
            }
        }
        Changes {
            updating: !(append_only && grows),
            upsert_keys: minimal(keys),
            order_dependent,
        }
    }
}

/// Keys without those that contain another.
fn minimal(keys: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    let mut kept: Vec<Vec<usize>> = Vec::new();
    for key in keys {
        if !kept.iter().any(|k| k.iter().all(|c| key.contains(c))) {
            kept.push(key);
        }
    }
    kept
}

impl Bounds {
    /// Takes a condition that compares two time attributes; false where it is none.
    fn take(
        &mut self,
        filter: &Expr,
        sides: &impl Fn(&Expr) -> Option<(bool, usize, Millis)>,
    ) -> bool {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else {
            return false;
        };
        let (Some(a), Some(b)) = (sides(left), sides(right)) else {
            return false;
        };
        let ((l, r), op) = match (a.0, b.0) {
            (true, false) => ((a, b), *op),
            (false, true) => ((b, a), op.swap().unwrap_or(*op)),
            _ => return false,
        };
        let columns = (l.1, r.1);
        if self.columns.is_some_and(|c| c != columns) {
            return false;
        }
        // left + l <op> right + r  is  left - right <op> r - l
        let bound = r.2.saturating_sub(l.2);
        let tighten_lower =
            |old: Option<Millis>, new: Millis| Some(old.map_or(new, |o| o.max(new)));
        let tighten_upper =
            |old: Option<Millis>, new: Millis| Some(old.map_or(new, |o| o.min(new)));
        match op {
            Operator::GtEq => self.lower = tighten_lower(self.lower, bound),
            Operator::Gt => self.lower = tighten_lower(self.lower, bound.saturating_add(1)),
            Operator::LtEq => self.upper = tighten_upper(self.upper, bound),
            Operator::Lt => self.upper = tighten_upper(self.upper, bound.saturating_sub(1)),
            Operator::Eq => {
                self.lower = tighten_lower(self.lower, bound);
                self.upper = tighten_upper(self.upper, bound);
            }
            _ => return false,
        }
        self.columns = Some(columns);
        true
    }
}

/// A column, and the milliseconds that are added to it.
fn time_offset(expr: &Expr) -> Option<(&datafusion::common::Column, Millis)> {
    match expr {
        Expr::Column(column) => Some((column, 0)),
        Expr::Alias(alias) => time_offset(&alias.expr),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (column, offset) = time_offset(left)?;
            let by = interval_millis(right)?;
            match op {
                Operator::Plus => Some((column, offset.checked_add(by)?)),
                Operator::Minus => Some((column, offset.checked_sub(by)?)),
                _ => None,
            }
        }
        _ => None,
    }
}
