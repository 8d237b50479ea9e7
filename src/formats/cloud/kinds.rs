//! Types of resources that are no packet filters, or whose effect on packets is not computed.

/// A type that has to do with packets and is not lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Other {
    /// The word that objects of it are counted by: the type itself where it is a known one.
    pub(super) kind: &'static str,
    /// What to say if one changes.
    pub(super) uncomputed: &'static str,
}

/// For types that are known by a part of their name only.
pub(super) const UNKNOWN: &str = "resource";

pub(super) const BALANCED: &str = "what a load balancer does with requests is not computed";
pub(super) const ATTACHED: &str = "which hosts a firewall stands before is not computed";
const FILTERED: &str = "what it does to packets is not computed";

/// What is to be said of a type; `None`: it has nothing to do with packets.
pub(super) fn other(kind: &str) -> Option<Other> {
    for (kinds, uncomputed) in KNOWN {
        if let Some(kind) = kinds.iter().find(|known| **known == kind) {
            return Some(Other { kind, uncomputed });
        }
    }
    // What is written down of its packets is none of them.
    if kind.ends_with("_logging_configuration") && kind.contains("waf") {
        return None;
    }
    let parts: Vec<&str> = kind.split('_').collect();
    let has =
        |words: &[&str]| words.iter().any(|word| parts.windows(word.split('_').count()).any(|w| w.join("_") == *word));
    let acl = has(&["acl"]) && !has(NO_PACKETS);
    let (kind, uncomputed) = if has(BALANCING) {
        (UNKNOWN, BALANCED)
    } else if acl || has(FILTERING) {
        (UNKNOWN, FILTERED)
    } else {
        return None;
    };
    Some(Other { kind, uncomputed })
}

/// Words in the names of types of load balancers.
const BALANCING: &[&str] = &[
    "lb",
    "alb",
    "clb",
    "elb",
    "frontdoor",
    "globalaccelerator",
    "gwlb",
    "instance_group_membership",
    "instance_group_named_port",
    "iploadbalancing",
    "loadbalancers",
    "loadbalancing",
    "load_balancing",
    "network_endpoint",
    "network_endpoints",
    "nlb",
    "nodebalancer",
    "slb",
    "traffic_manager",
    "vpclattice",
    "loadbalancer",
    "load_balancer",
    "listener",
    "forwarding_rule",
    "url_map",
    "backend_service",
];

/// Words beside `acl` in the names of types that say who may use something else than a network.
const NO_PACKETS: &[&str] =
    &["bucket", "consul", "elasticache", "kafka", "memorydb", "nomad", "object", "redis", "s3", "storage", "topic"];

/// Words in the names of types that filter packets.
const FILTERING: &[&str] = &[
    "access_list",
    "access_rule",
    "address_group",
    "admin_rule",
    "appsec",
    "firewalls",
    "fw",
    "fwaas",
    "gateway_policy",
    "ip_group",
    "nat_rule",
    "network_rule",
    "network_rules",
    "network_security",
    "security_admin",
    "security_list",
    "security_policy",
    "vpc_block_public_access",
    "waf",
    "wafregional",
    "wafv2",
    "firewall",
    "security_group",
    "securitygroup",
    "security_groups",
    "secgroup",
    "network_acl",
    "acl_rule",
    "networkfirewall",
    "nsg",
    "security_rule",
    "firewall_policy",
    "network_policy",
    "sg",
    "asg",
];

static KNOWN: &[(&[&str], &str)] = &[
    (
        &[
            "aws_app_cookie_stickiness_policy",
            "aws_lb_cookie_stickiness_policy",
            "aws_load_balancer_policy",
            "azurerm_application_gateway",
            "azurerm_lb_nat_pool",
            "azurerm_lb_nat_rule",
            "digitalocean_loadbalancer",
            "google_compute_backend_bucket",
            "google_compute_target_pool",
            "hcloud_load_balancer",
            "hcloud_load_balancer_network",
            "hcloud_load_balancer_service",
            "hcloud_load_balancer_target",
            "openstack_lb_listener_v2",
            "openstack_lb_loadbalancer_v2",
            "openstack_lb_member_v2",
            "openstack_lb_monitor_v2",
            "openstack_lb_pool_v2",
            "kubernetes_ingress",
            "kubernetes_ingress_v1",
            "kubernetes_service",
            "kubernetes_service_v1",
        ],
        BALANCED,
    ),
    (
        &[
            "aws_network_acl_association",
            "aws_network_interface_sg_attachment",
            "azurerm_network_interface_security_group_association",
            "azurerm_subnet_network_security_group_association",
            "azurerm_network_interface_application_security_group_association",
            "cloudfoundry_space_asgs",
            "cloudfoundry_default_asg",
            "cloudfoundry_security_group_space_bindings",
            "hcloud_firewall_attachment",
        ],
        ATTACHED,
    ),
    (
        &[
            "aws_db_security_group",
            "aws_elasticache_security_group",
            "aws_networkfirewall_firewall",
            "aws_networkfirewall_firewall_policy",
            "aws_networkfirewall_rule_group",
            "aws_redshift_security_group",
            "cloudflare_filter",
            "cloudflare_ruleset",
            "cloudflare_zone_lockdown",
            "kubectl_manifest",
            "kubernetes_manifest",
            "azurerm_firewall",
            "azurerm_firewall_application_rule_collection",
            "azurerm_firewall_nat_rule_collection",
            "azurerm_firewall_network_rule_collection",
            "azurerm_firewall_policy",
            "azurerm_firewall_policy_rule_collection_group",
            "azurerm_mariadb_firewall_rule",
            "azurerm_mssql_firewall_rule",
            "azurerm_mysql_firewall_rule",
            "azurerm_postgresql_firewall_rule",
            "azurerm_sql_firewall_rule",
            "digitalocean_database_firewall",
            "google_compute_firewall_policy",
            "google_compute_firewall_policy_rule",
            "google_compute_network_firewall_policy",
            "google_compute_network_firewall_policy_rule",
            "google_compute_security_policy",
            "openstack_compute_secgroup_v2",
            "openstack_fw_firewall_v1",
            "openstack_fw_policy_v1",
            "openstack_fw_rule_v1",
        ],
        FILTERED,
    ),
];
