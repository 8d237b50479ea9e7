use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use miette::Diagnostic;
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{HashAlg, LineEnding, PrivateKey, SshSig};
use std::fmt;
use thiserror::Error;

/// What SSH signatures of records are for: `ssh-keygen -Y sign -n portcullis`.
pub const NAMESPACE: &str = "portcullis";
/// The bit of a signature of a security key that says that somebody touched it (PROTOCOL.u2f of OpenSSH).
const TOUCHED: u8 = 1;

/// A key is not one that can be used. Whoever gave it has to give another.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum KeyError {
    /// It is no public key of a known kind.
    #[error("`{key}` is not a public key that can be used: {why}")]
    #[diagnostic(
        code(portcullis::record::public_key),
        help(
            "give an Ed25519 key: `ssh-ed25519 AAAA…`, `sk-ssh-ed25519@openssh.com AAAA…`, or a PEM that begins with BEGIN PUBLIC KEY"
        )
    )]
    Public {
        /// Its beginning.
        key: String,
        /// Why not.
        why: String,
    },
    /// It is no private key of a known kind.
    #[error("this is not a private key that can be used: {why}")]
    #[diagnostic(
        code(portcullis::record::private_key),
        help(
            "give an Ed25519 key in PKCS#8 (`openssl genpkey -algorithm ed25519`) or of OpenSSH (`ssh-keygen -t ed25519 -N ''`); sign with any other by `ssh-keygen -Y sign -n portcullis` and add that signature"
        )
    )]
    Private {
        /// Why not.
        why: String,
    },
}

/// A key that signatures are held against: Ed25519, in software or in a security key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: KeyData,
    ed25519: VerifyingKey,
}

impl PublicKey {
    /// Reads a line of OpenSSH, or PEM.
    ///
    /// # Errors
    /// It is no Ed25519 key, or a weak one, which would accept signatures of anybody.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let refused = |why: String| KeyError::Public { key: text.chars().take(40).collect(), why };
        let key = if text.starts_with("-----BEGIN") {
            let key = VerifyingKey::from_public_key_pem(text).map_err(|why| refused(why.to_string()))?;
            KeyData::Ed25519(Ed25519PublicKey(key.to_bytes()))
        } else {
            let key = ssh_key::PublicKey::from_openssh(text).map_err(|why| refused(why.to_string()))?;
            key.key_data().clone()
        };
        Self::of(key).map_err(refused)
    }

    fn of(key: KeyData) -> Result<Self, String> {
        let bytes = match (&key, key.ed25519(), key.sk_ed25519()) {
            (_, Some(Ed25519PublicKey(bytes)), _) => bytes,
            (_, None, Some(security)) => &security.public_key().0,
            (key, None, None) => return Err(format!("it is of the kind {}", key.algorithm())),
        };
        let ed25519 = VerifyingKey::from_bytes(bytes).map_err(|why| why.to_string())?;
        if ed25519.is_weak() {
            return Err("it is a weak key, by which anything is signed".to_owned());
        }
        Ok(Self { key, ed25519 })
    }

    /// The fingerprint that OpenSSH shows: `SHA256:…`.
    #[must_use]
    pub fn id(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Whether a signature is by this key over these bytes: one of Ed25519, or one of SSH.
    #[must_use]
    pub fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        match Signature::from_slice(signature) {
            Ok(signature) => self.key.is_ed25519() && self.ed25519.verify_strict(bytes, &signature).is_ok(),
            Err(_) => self.verifies_ssh(bytes, signature).is_some(),
        }
    }

    /// What is not signed of an SSH signature has to be as it is always written.
    fn verifies_ssh(&self, bytes: &[u8], text: &[u8]) -> Option<()> {
        let signature = SshSig::from_pem(text).ok()?;
        let touched = self.key.is_ed25519() || signature.signature_bytes().get(64).is_some_and(|f| f & TOUCHED != 0);
        let usual = signature.version() == SshSig::VERSION && signature.reserved().is_empty();
        let whole = signature.to_pem(LineEnding::LF).ok()?.as_bytes() == text;
        let key = ssh_key::PublicKey::new(self.key.clone(), "");
        (touched && usual && whole).then(|| key.verify(NAMESPACE, bytes, &signature).ok()).flatten()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id())
    }
}

/// A key that signs.
pub struct Signer {
    public: PublicKey,
    secret: Secret,
}

enum Secret {
    /// Signs as DSSE does by itself.
    Ed25519(Box<SigningKey>),
    /// A key of SSH never signs anything but for a named purpose.
    Ssh(Box<PrivateKey>),
}

impl Signer {
    /// Reads a private key: PKCS#8 in PEM, or a file of OpenSSH.
    ///
    /// # Errors
    /// It is no Ed25519 key, or one that a passphrase protects.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let refused = |why: String| KeyError::Private { why };
        let secret = if text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----") {
            let key = PrivateKey::from_openssh(text).map_err(|why| refused(why.to_string()))?;
            if key.is_encrypted() {
                return Err(refused("a passphrase protects it".to_owned()));
            }
            Secret::Ssh(Box::new(key))
        } else {
            let key = SigningKey::from_pkcs8_pem(text).map_err(|why| refused(why.to_string()))?;
            Secret::Ed25519(Box::new(key))
        };
        let public = match &secret {
            Secret::Ed25519(key) => KeyData::Ed25519(Ed25519PublicKey(key.verifying_key().to_bytes())),
            Secret::Ssh(key) if key.key_data().is_ed25519() => key.public_key().key_data().clone(),
            Secret::Ssh(key) => return Err(refused(format!("it is of the kind {}", key.algorithm()))),
        };
        Ok(Self { public: PublicKey::of(public).map_err(refused)?, secret })
    }

    /// The key that its signatures are held against.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Ed25519(key) => key.sign(bytes).to_bytes().to_vec(),
            Secret::Ssh(key) => {
                let signature = key.sign(NAMESPACE, HashAlg::Sha512, bytes);
                let text = signature.and_then(|signature| signature.to_pem(LineEnding::LF));
                text.expect("an Ed25519 key that is not encrypted signs everything").into_bytes()
            }
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public)
    }
}

/// An SSH signature as it is always laid out, and the key that it says it is by; `None`: it is none.
pub(super) fn ssh_signature(text: &[u8]) -> Option<(PublicKey, Vec<u8>)> {
    let signature = SshSig::from_pem(text).ok()?;
    let key = PublicKey::of(signature.public_key().clone()).ok()?;
    Some((key, signature.to_pem(LineEnding::LF).ok()?.into_bytes()))
}
