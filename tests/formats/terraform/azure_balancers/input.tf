resource "azurerm_lb" "web" {
  name                = "web"
  resource_group_name = "web"
  location            = "westeurope"
  sku                 = "Gateway"
  tags                = { owner = "shop" }
  frontend_ip_configuration {
    name                 = "public"
    public_ip_address_id = "ip-1"
  }
  frontend_ip_configuration {
    name               = "private"
    subnet_id          = "subnet-1"
    private_ip_address = "10.0.0.9"
  }
}
resource "azurerm_lb_backend_address_pool" "web" {
  loadbalancer_id = azurerm_lb.web.id
  name            = "web"
}
resource "azurerm_lb_backend_address_pool_address" "web1" {
  backend_address_pool_id = azurerm_lb_backend_address_pool.web.id
  virtual_network_id      = "net-1"
  name                    = "web1"
  ip_address              = "10.0.1.1"
}
resource "azurerm_network_interface_backend_address_pool_association" "web2" {
  backend_address_pool_id = azurerm_lb_backend_address_pool.web.id
  network_interface_id    = "nic-2"
  ip_configuration_name   = "internal"
}
resource "azurerm_lb_probe" "web" {
  loadbalancer_id     = azurerm_lb.web.id
  name                = "up"
  protocol            = "Http"
  port                = 8081
  request_path        = "/up"
  interval_in_seconds = 5
}
resource "azurerm_lb_rule" "web" {
  loadbalancer_id                = azurerm_lb.web.id
  name                           = "web"
  protocol                       = "Tcp"
  frontend_port                  = 443
  backend_port                   = 8443
  frontend_ip_configuration_name = "public"
  backend_address_pool_ids       = [azurerm_lb_backend_address_pool.web.id]
  probe_id                       = azurerm_lb_probe.web.id
  load_distribution              = "SourceIP"
}
resource "azurerm_lb_rule" "all" {
  loadbalancer_id                = azurerm_lb.web.id
  name                           = "all"
  protocol                       = "All"
  frontend_port                  = 0
  backend_port                   = 0
  frontend_ip_configuration_name = "private"
  backend_address_pool_ids       = [azurerm_lb_backend_address_pool.fleet.id]
}
resource "azurerm_lb_backend_address_pool" "fleet" {
  loadbalancer_id = azurerm_lb.web.id
  name            = "fleet"
}
resource "azurerm_linux_virtual_machine_scale_set" "fleet" {
  instances = 2
  network_interface {
    ip_configuration {
      load_balancer_backend_address_pool_ids = [azurerm_lb_backend_address_pool.fleet.id]
    }
  }
}
