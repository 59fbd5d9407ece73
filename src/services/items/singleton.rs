//! Writing collections that hold one item, which has its key by itself. The first write makes it.

use serde_json::Value;

use super::ItemsService;
use crate::auth::Action;
use crate::error::Result;
use crate::services::Item;

impl ItemsService<'_> {
    /// Changes the one item, or makes it. Answers the row as it is now.
    pub async fn write_singleton(&self, data: Item) -> Result<Vec<Item>> {
        match self.the_key().await? {
            Some(key) => self.update(vec![key], data).await,
            None => self.create(vec![data]).await,
        }
    }

    /// The key of the one item, whoever asks.
    pub async fn the_key(&self) -> Result<Option<Value>> {
        let free = self.ctx.with(true, false);
        let items = ItemsService { ctx: &free, name: self.name, own_door: true };
        let collection = items.collection(Action::Read)?;
        let pk = collection.primary_key().name.clone();
        let raw = Item::from_iter([("fields".to_owned(), Value::from(pk.as_str())), ("limit".to_owned(), Value::from(1))]);
        Ok(items.read_all(&raw).await?.into_iter().next().and_then(|mut row| row.shift_remove(&pk)))
    }
}
