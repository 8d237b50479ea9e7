resource "google_compute_backend_service" "web" {
  health_checks = ["up"]
  backend {
    group = google_compute_instance_group_manager.web.instance_group
  }
  backend {
    group           = google_compute_region_instance_group_manager.scaled.instance_group
    capacity_scaler = 0.5
  }
  backend {
    group = google_compute_instance_group.hand.self_link
  }
  backend {
    group = google_compute_instance_group_manager.none.instance_group
  }
}
resource "google_compute_instance_group_manager" "web" {
  name        = "web"
  named_port {
    name = "http"
    port = 8080
  }
  target_size = 2
}
resource "google_compute_instance_group_manager" "none" {
  name        = "none"
  target_size = 0
}
resource "google_compute_region_instance_group_manager" "scaled" {
  name = "scaled"
}
resource "google_compute_region_autoscaler" "scaled" {
  name   = "scaled"
  target = google_compute_region_instance_group_manager.scaled.id
  autoscaling_policy {
    min_replicas = 1
    max_replicas = 6
  }
}
resource "google_compute_instance_group" "hand" {
  name      = "hand"
  instances = ["instance-a", "instance-b"]
}
resource "google_compute_instance_group" "others" {
  name = "others"
}
resource "google_compute_backend_service" "others" {
  backend {
    group = google_compute_instance_group.others.id
  }
}
