resource "azurerm_lb" "web" {
  name = "web"
  frontend_ip_configuration {
    name                 = "public"
    public_ip_address_id = "ip-1"
  }
}
resource "azurerm_lb_backend_address_pool" "web" {
  loadbalancer_id = azurerm_lb.web.id
  name            = "web"
}
resource "azurerm_lb_rule" "web" {
  loadbalancer_id                = azurerm_lb.web.id
  name                           = "web"
  protocol                       = "Tcp"
  frontend_port                  = 443
  backend_port                   = 8443
  frontend_ip_configuration_name = "public"
  backend_address_pool_ids       = [azurerm_lb_backend_address_pool.web.id]
}
resource "azurerm_linux_virtual_machine_scale_set" "fixed" {
  name      = "fixed"
  instances = 2
  network_interface {
    ip_configuration {
      load_balancer_backend_address_pool_ids = [azurerm_lb_backend_address_pool.web.id]
    }
  }
}
resource "azurerm_windows_virtual_machine_scale_set" "scaled" {
  name      = "scaled"
  instances = 3
  network_interface {
    ip_configuration {
      load_balancer_backend_address_pool_ids = [azurerm_lb_backend_address_pool.web.id]
    }
  }
  lifecycle {
    ignore_changes = [instances]
  }
}
resource "azurerm_virtual_machine_scale_set" "old" {
  name = "old"
  sku {
    name     = "Standard_F2"
    capacity = 2
  }
  network_profile {
    name = "web"
    ip_configuration {
      load_balancer_backend_address_pool_ids = [azurerm_lb_backend_address_pool.web.id]
    }
  }
}
resource "azurerm_monitor_autoscale_setting" "scaled" {
  name               = "scaled"
  target_resource_id = azurerm_windows_virtual_machine_scale_set.scaled.id
  profile {
    name = "day"
    capacity {
      default = 3
      minimum = 2
      maximum = 8
    }
  }
  profile {
    name = "night"
    capacity {
      default = 1
      minimum = 1
      maximum = 3
    }
  }
}
