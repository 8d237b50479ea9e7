resource "azurerm_network_security_group" "a" {
  security_rule {
    name                       = "first"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_port_range          = "*"
    destination_port_range     = "22"
    source_address_prefix      = "*"
    destination_address_prefix = "*"
  }

  security_rule {
    name                       = "second"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_port_range          = "*"
    destination_port_range     = "*"
    source_address_prefix      = "*"
    destination_address_prefix = "*"
  }

  security_rule {
    name                       = "third"
    priority                   = 99
    direction                  = "Outbound"
    access                     = "Deny"
    protocol                   = "*"
    source_port_range          = "*"
    destination_port_range     = "*"
    source_address_prefix      = "*"
    destination_address_prefix = "*"
  }
}

resource "scaleway_instance_security_group" "a" {
  inbound_rule {
    action   = "drop"
    ip_range = "192.0.2.0/24"
  }
}

resource "scaleway_instance_security_group_rules" "a" {
  security_group_id = scaleway_instance_security_group.a.id

  inbound_rule {
    action   = "accept"
    ip_range = "192.0.2.1/32"
  }
}

resource "exoscale_security_group" "b" {
  name = "twice"
}

resource "exoscale_security_group" "c" {
  name = "twice"
}

resource "exoscale_security_group_rule" "b" {
  security_group = "twice"
  type           = "INGRESS"
  end_port       = 22
  cidr           = "192.0.2.0/24"
}

resource "digitalocean_firewall" "a" {
  inbound_rule {
    protocol = "icmp"
  }
}
