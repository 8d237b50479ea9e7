resource "scaleway_lb_ip" "web" {
  reverse = "web.example"
}
resource "scaleway_lb" "web" {
  name       = "web"
  type       = "LB-S"
  ip_ids     = [scaleway_lb_ip.web.id]
  project_id = "11111111-1111-1111-1111-111111111111"
}
resource "scaleway_lb_backend" "web" {
  lb_id             = scaleway_lb.web.id
  forward_protocol  = "http"
  forward_port      = 8080
  server_ips        = ["10.0.1.1", "10.0.1.2"]
  sticky_sessions   = "cookie"
  health_check_port = 8081
  health_check_http {
    uri    = "/up"
    method = "GET"
    code   = 204
  }
}
resource "scaleway_lb_backend" "api" {
  lb_id            = scaleway_lb.web.id
  forward_protocol = "http"
  forward_port     = 9000
  server_ips       = ["10.0.2.1"]
}
resource "scaleway_lb_certificate" "web" {
  lb_id = scaleway_lb.web.id
  letsencrypt {
    common_name = "web.example"
  }
}
resource "scaleway_lb_frontend" "web" {
  lb_id           = scaleway_lb.web.id
  backend_id      = scaleway_lb_backend.web.id
  inbound_port    = 443
  certificate_ids = [scaleway_lb_certificate.web.id]
  acl {
    action {
      type = "allow"
    }
    match {
      ip_subnet = ["192.0.2.0/24"]
    }
  }
  acl {
    action {
      type = "deny"
    }
    match {
      http_filter       = "path_begin"
      http_filter_value = ["/admin", "internal"]
    }
  }
  acl {
    action {
      type = "redirect"
      redirect {
        type   = "location"
        target = "https://status.example"
        code   = 307
      }
    }
    match {
      ip_subnet = ["203.0.113.0/24"]
      invert    = true
    }
  }
}
resource "scaleway_lb_acl" "late" {
  frontend_id = scaleway_lb_frontend.plain.id
  index       = 2
  action {
    type = "deny"
  }
  match {
    http_filter        = "http_header_match"
    http_filter_option = "X-Bot"
    http_filter_value  = ["yes"]
  }
}
resource "scaleway_lb_frontend" "plain" {
  lb_id         = scaleway_lb.web.id
  backend_id    = scaleway_lb_backend.web.id
  inbound_port  = 80
  external_acls = true
}
resource "scaleway_lb_route" "api" {
  frontend_id       = scaleway_lb_frontend.web.id
  backend_id        = scaleway_lb_backend.api.id
  match_host_header = "api.example"
}
resource "scaleway_lb_route" "apis" {
  frontend_id       = scaleway_lb_frontend.web.id
  backend_id        = scaleway_lb_backend.api.id
  match_host_header = "apis.example"
  match_subdomains  = true
}
