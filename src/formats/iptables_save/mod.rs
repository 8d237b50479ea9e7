//! `iptables-save` and `ip6tables-save` files, the input of `iptables-restore`.

use super::{Format, Reading};

pub(super) static FORMAT: IptablesSave = IptablesSave;

pub(super) struct IptablesSave;

impl Format for IptablesSave {
    fn id(&self) -> &'static str {
        "iptables-save"
    }

    fn recognises(&self, _name: &str, _text: &[u8]) -> bool {
        false
    }

    fn read(&self, reading: &mut Reading<'_>) {
        for file in reading.files() {
            let ledger = reading.ledger(*file);
            reading.close(ledger);
        }
    }
}
