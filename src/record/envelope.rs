use super::error::Refusal;
use super::keys::{self, PublicKey, Signer};
use base64ct::{Base64, Base64Url, Encoding as _};
use serde::{Deserialize, Serialize};

/// The type of what records carry.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// How large a record may be, 16 MiB.
pub const MAX_RECORD_BYTES: u64 = 16 << 20;

/// How many signatures a record may have: each costs time to verify.
const MOST_SIGNATURES: usize = 64;

/// A signed text: an envelope of DSSE v1.0.2 (github.com/secure-systems-lab/dsse).
///
/// A record is a file with exactly the bytes of [`Envelope::to_bytes`]: layout, other keys and other spellings of the same
/// have no place in which to hide anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Envelope {
    /// What is signed, in base64.
    payload: String,
    /// What it is.
    payload_type: String,
    /// Who signed it.
    signatures: Vec<Signature>,
}

/// A signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Which key it is by. A hint: what does not verify by that very key counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyid: Option<String>,
    /// In base64: the 64 bytes of Ed25519, or an SSH signature as `ssh-keygen -Y sign` writes it.
    pub sig: String,
}

impl Envelope {
    /// An envelope that nobody has signed yet.
    #[must_use]
    pub fn new(payload_type: &str, payload: &[u8]) -> Self {
        let payload = Base64::encode_string(payload);
        Self { payload, payload_type: payload_type.to_owned(), signatures: Vec::new() }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// It is too large, or not byte for byte what [`Envelope::to_bytes`] writes.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        if u64::try_from(bytes.len()).is_ok_and(|size| size > MAX_RECORD_BYTES) {
            return Err(Refusal::TooLarge { bytes: bytes.len() });
        }
        let malformed = |why: String| Refusal::Malformed { why };
        let envelope: Self = serde_json::from_slice(bytes).map_err(|why| malformed(why.to_string()))?;
        let standard = |text: &str| Base64::decode_vec(text).is_ok();
        if !standard(&envelope.payload) || envelope.signatures.iter().any(|signature| !standard(&signature.sig)) {
            return Err(malformed("payload and signatures have to be standard base64".to_owned()));
        }
        if envelope.signatures.len() > MOST_SIGNATURES {
            return Err(malformed(format!("it has more than {MOST_SIGNATURES} signatures")));
        }
        if envelope.signatures.iter().any(|signature| signature.keyid.is_none()) {
            return Err(malformed("a signature does not say by which key it is".to_owned()));
        }
        if envelope.to_bytes() == bytes {
            Ok(envelope)
        } else {
            Err(malformed("it is laid out otherwise than records are written".to_owned()))
        }
    }

    /// The envelope as a file: one line.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("texts have a JSON form");
        bytes.push(b'\n');
        bytes
    }

    /// What is signed; `None`: it is not base64, in either alphabet of DSSE.
    #[must_use]
    pub fn payload(&self) -> Option<Vec<u8>> {
        decode(&self.payload)
    }

    /// What it says that it is.
    #[must_use]
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// Its signatures.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The bytes that signatures are over; `None`: the payload is not base64.
    #[must_use]
    pub fn signed_bytes(&self) -> Option<Vec<u8>> {
        Some(pae(self.payload_type.as_bytes(), &self.payload()?))
    }

    /// Adds a signature.
    ///
    /// # Errors
    /// The payload is not base64.
    pub fn sign(&mut self, signer: &Signer) -> Result<(), Refusal> {
        let bytes = self.signed_bytes().ok_or_else(not_base64)?;
        let sig = Base64::encode_string(&signer.sign(&bytes));
        self.signatures.push(Signature { keyid: Some(signer.public().id()), sig });
        Ok(())
    }

    /// Adds a signature that was made elsewhere, as `ssh-keygen -Y sign` writes it, and gives the key that it is by.
    ///
    /// # Errors
    /// It is no signature of such a key over these bytes.
    pub fn add(&mut self, signature: &[u8]) -> Result<PublicKey, Refusal> {
        let bytes = self.signed_bytes().ok_or_else(not_base64)?;
        let malformed = |why: String| Refusal::Malformed { why };
        let (key, signature) = keys::ssh_signature(signature).ok_or_else(|| {
            malformed("the signature is not one of an Ed25519 key as `ssh-keygen -Y sign` writes it".to_owned())
        })?;
        if !key.verifies(&bytes, &signature) {
            let what = "is not over the bytes of this record, or not for `portcullis`";
            return Err(malformed(format!("the signature by {key} {what}")));
        }
        self.signatures.push(Signature { keyid: Some(key.id()), sig: Base64::encode_string(&signature) });
        Ok(key)
    }

    /// Which of the keys have signed it, each once, in the order of `keys`. Every key is tried on every signature that names
    /// no other one: the name is not trusted.
    #[must_use]
    pub fn signers<'k>(&self, keys: impl IntoIterator<Item = &'k PublicKey>) -> Vec<&'k PublicKey> {
        let Some(bytes) = self.signed_bytes() else { return Vec::new() };
        let by = |key: &PublicKey, Signature { keyid, sig }: &Signature| {
            let named = keyid.as_ref().is_none_or(|id| *id == key.id());
            named && decode(sig).is_some_and(|signature| key.verifies(&bytes, &signature))
        };
        keys.into_iter().filter(|key| self.signatures.iter().any(|signature| by(key, signature))).collect()
    }
}

/// The pre-authentication encoding of DSSE: nothing that is signed as one type can be taken for another.
#[must_use]
pub fn pae(payload_type: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} ", payload_type.len()).into_bytes();
    out.extend(payload_type);
    out.extend(format!(" {} ", payload.len()).into_bytes());
    out.extend(payload);
    out
}

/// "Either standard or URL-safe base64 encodings are allowed" (DSSE, protocol).
fn decode(text: &str) -> Option<Vec<u8>> {
    Base64::decode_vec(text).or_else(|_| Base64Url::decode_vec(text)).ok()
}

fn not_base64() -> Refusal {
    Refusal::Malformed { why: "the payload is not base64".to_owned() }
}
