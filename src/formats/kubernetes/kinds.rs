//! Kinds of objects that say nothing of which packets pass between pods, or say it in a way that is not read yet.

/// What is to be said of a kind that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It changes nothing.
    Inert(&'static str),
    /// It leads packets on: its kind, and what is not computed of a change.
    Told(&'static str, &'static str),
    /// It decides about packets or requests, in a way that cannot be bounded.
    Gap,
}

const BALANCING: &str = "which requests reach which pods is not computed";
const UNKNOWN: &str = "what it does is not known";

/// Those that lead packets and requests to pods.
const TOLD: &[&str] = &[
    "Service",
    "Endpoints",
    "EndpointSlice",
    "Ingress",
    "IngressClass",
    "Gateway",
    "GatewayClass",
    "HTTPRoute",
    "GRPCRoute",
    "TCPRoute",
    "TLSRoute",
    "UDPRoute",
    "ListenerSet",
    "ReferenceGrant",
    "BackendTLSPolicy",
    "Route",
    "VirtualServer",
    "VirtualServerRoute",
    "TransportServer",
    "IngressRoute",
    "IngressRouteTCP",
    "IngressRouteUDP",
    "VirtualService",
    "DestinationRule",
    "ServiceEntry",
    "IPAddressPool",
    "L2Advertisement",
    "BGPPeer",
    "BGPAdvertisement",
];

/// Those that have to do neither with packets nor with pods.
const INERT: &[&str] = &[
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "StorageClass",
    "VerticalPodAutoscaler",
    "PodDisruptionBudget",
    "PriorityClass",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "CustomResourceDefinition",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "APIService",
    "Lease",
    "Event",
    "Node",
    "RuntimeClass",
    "CSIDriver",
    "VolumeSnapshot",
    "VolumeSnapshotClass",
    "Certificate",
    "Issuer",
    "ClusterIssuer",
    "ServiceMonitor",
    "PodMonitor",
    "Probe",
    "PrometheusRule",
    "Prometheus",
    "Alertmanager",
    "ThanosRuler",
    "ExternalSecret",
    "SealedSecret",
];

/// Words in the names of API groups whose objects decide about packets.
const DECIDING: &[&str] =
    &["cilium", "calico", "antrea", "network", "cni.cncf.io", "ovn.org", "nmstate", "istio", "linkerd", "policy"];

/// What becomes of an object of that group and kind. Groups of the API itself and of others are told apart only where
/// they use the same name.
pub(super) fn other(group: &str, kind: &str) -> Kind {
    if let Some(told) = TOLD.iter().find(|told| **told == kind) {
        return Kind::Told(told, BALANCING);
    }
    if INERT.contains(&kind) {
        return Kind::Inert("not about packets");
    }
    if kind.contains("NetworkPolic") || DECIDING.iter().any(|word| group.contains(word)) {
        return Kind::Gap;
    }
    Kind::Told("resource", UNKNOWN)
}
