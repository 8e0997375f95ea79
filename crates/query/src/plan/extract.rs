//! `parse`, `json`, `unnest`.

use datafusion::{
    common::{NullHandling, Result, UnnestOptions},
    functions::core::expr_fn::get_field,
};
use insights::ast::{self, Name, Parse, Path};

use super::{Operand, Pipeline, column};
use crate::{
    kind::Kind,
    operation::{ELEMENT, Extraction, MATCH_NUMBER, Operation},
};

impl Pipeline<'_> {
    /// The text that is taken apart; the message, if none is said.
    fn text_of(&self, of: Option<&ast::Expr>) -> Result<Operand> {
        match of {
            Some(of) => self.lower(of),
            None => Ok(self.field(&Path::named("@message"))),
        }
    }

    pub(super) fn parse(&mut self, parse: &Parse) -> Result<()> {
        let of = self.text_of(parse.of.as_ref())?;
        let extraction = Extraction::new(parse);
        let names = extraction.names.clone();
        let size = of.size + 2;
        let (is_map, is_multiple) = (extraction.is_map(), extraction.is_multiple());
        let expr = self.operation(Operation::Extract(extraction), vec![of.value_of_condition()]);
        if is_map {
            self.more.extend(names.iter().cloned());
            return self.set(&names[0], Operand { is_flat: true, ..Operand::new(expr, Kind::Any, size) });
        }
        if is_multiple {
            let each = self.rows_of(expr)?;
            let number = get_field(column(&each), MATCH_NUMBER);
            self.order.push(number.sort(true, false));
            for (position, name) in names.iter().enumerate() {
                let field = get_field(column(&each), position.to_string());
                self.set(name, Operand::new(field, Kind::Text, 2))?;
            }
            return Ok(());
        }
        if let [name] = names.as_slice() {
            return self.set(name, Operand::new(expr, Kind::Text, size));
        }
        for (position, name) in names.iter().enumerate() {
            let field = get_field(expr.clone(), position.to_string());
            self.set(name, Operand::new(field, Kind::Text, size + 1))?;
        }
        Ok(())
    }

    pub(super) fn json(&mut self, of: Option<&ast::Expr>, path: &str, name: &Name) -> Result<()> {
        let of = self.text_of(of)?;
        let expr = self.operation(Operation::Json(path.to_owned()), vec![of.value_of_condition()]);
        self.set(&name.it, Operand::new(expr, Kind::Any, of.size + 1))
    }

    pub(super) fn unnest(&mut self, list: &Operand, into: &str) -> Result<()> {
        let elements = self.operation(Operation::Elements, vec![list.value_of_condition()]);
        let each = self.rows_of(elements)?;
        self.order.push(get_field(column(&each), ELEMENT[0]).sort(true, false));
        self.set(into, Operand::new(get_field(column(&each), ELEMENT[1]), Kind::Any, 2))
    }

    /// One row for each element of a list, and none for an empty one; the name of the element's column.
    pub(super) fn rows_of(&mut self, list: datafusion::logical_expr::Expr) -> Result<String> {
        let name = self.add(list)?;
        let options = UnnestOptions::default().with_null_handling(NullHandling::Drop);
        let unnested = datafusion::common::Column::new_unqualified(&name);
        self.build(|plan| plan.unnest_column_with_options(unnested, options))?;
        Ok(name)
    }
}
